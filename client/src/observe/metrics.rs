//! Metrics in the form of Prometheus, with the names of the cache-v4 system and those of a session store.

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::client::SessionClient;
use crate::core::breaker::State;
use crate::error::CallError;
use crate::event::{Ended, Event, Observer, Operation, Resync};

/// What to call [`Metrics::text`] over HTTP.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, &'static str)>;

/// Counts what a client tells.
pub struct Metrics {
    registry: Registry,
    counts: Arc<Counts>,
    gauges: Gauges,
}

struct Counts {
    get_errors: Family<Labels, Counter>,
    errors: Family<Labels, Counter>,
    timeouts: Counter,
    circuit_open: Counter,
    class_circuit_open: Family<Labels, Counter>,
    operations: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    slow: Counter,
    corrupt: Counter,
    resynced: Counter,
}

#[derive(Default)]
struct Gauges {
    pool_size: Gauge,
    connections: Gauge,
    health_check_interval: Gauge,
    circuit_state: Gauge,
    local_sessions: Gauge,
    local_bytes: Gauge,
    dirty: Gauge,
    disk_failures: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let counts = Arc::new(Counts {
            get_errors: Family::default(),
            errors: Family::default(),
            timeouts: Counter::default(),
            circuit_open: Counter::default(),
            class_circuit_open: Family::default(),
            operations: Family::default(),
            durations: Family::new_with_constructor(seconds as fn() -> Histogram),
            slow: Counter::default(),
            corrupt: Counter::default(),
            resynced: Counter::default(),
        });
        let gauges = Gauges::default();
        let mut registry = Registry::default();
        let of = &*counts;
        registry.register("cache_get_error", "Attempts to read that failed, by error", of.get_errors.clone());
        registry.register("redis_call_error", "Attempts of calls that failed, by error", of.errors.clone());
        registry.register("cache_timeout", "Attempts that Redis did not answer in time", of.timeouts.clone());
        registry.register("circuit_open", "How often the breaker opened", of.circuit_open.clone());
        registry.register(
            "class_circuit_open",
            "How often the breaker of a class of calls opened",
            of.class_circuit_open.clone(),
        );
        registry.register("session_operations", "Operations, by how they ended", of.operations.clone());
        registry.register("session_operation_seconds", "How long operations took", of.durations.clone());
        registry.register("redis_slow_calls", "Calls slower than the warning", of.slow.clone());
        registry.register("redis_corrupt_values", "Values that are damaged or not ours", of.corrupt.clone());
        registry.register(
            "resync_sessions",
            "Sessions brought to Redis after an outage",
            of.resynced.clone(),
        );
        let now = &gauges;
        registry.register("redis_connection_pool_size", "Connections at most", now.pool_size.clone());
        registry.register("redis_connections", "Connections that are open", now.connections.clone());
        registry.register(
            "redis_health_check_interval",
            "Seconds without a reply after which a connection is asked for a sign of life",
            now.health_check_interval.clone(),
        );
        registry.register(
            "circuit_breaker_state",
            "0 closed, 1 open, 2 half-open",
            now.circuit_state.clone(),
        );
        registry.register("local_sessions", "Sessions in the local copy", now.local_sessions.clone());
        registry.register("local_bytes", "Bytes that they take, roughly", now.local_bytes.clone());
        registry.register("dirty_sessions", "Sessions that Redis lacks the newest of", now.dirty.clone());
        registry.register(
            "disk_failures",
            "Writes that the disk did not take in time",
            now.disk_failures.clone(),
        );
        Self { registry, counts, gauges }
    }

    /// What to give the client as its observer, or one of [several](super::all).
    pub fn observer(&self) -> Observer {
        let counts = Arc::clone(&self.counts);
        Arc::new(move |event: &Event| counts.count(event))
    }

    /// All figures, with what the client holds just now.
    pub fn text(&self, client: &SessionClient) -> String {
        let (stats, settings, now) = (client.stats(), client.settings(), &self.gauges);
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        now.pool_size.set(settings.pool.connections.into());
        now.connections.set(signed(stats.connections));
        now.health_check_interval.set(signed(settings.ping_after_idle.as_secs()));
        now.circuit_state.set(match stats.breaker {
            State::Closed => 0,
            State::Open => 1,
            State::HalfOpen => 2,
        });
        now.local_sessions.set(signed(stats.local_sessions));
        now.local_bytes.set(signed(stats.local_bytes));
        now.dirty.set(signed(stats.dirty));
        now.disk_failures.set(signed(stats.disk_failures));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _written = encode(&mut text, &self.registry);
        text
    }
}

impl Counts {
    fn count(&self, event: &Event) {
        match event {
            Event::Failed { command, error, .. } => {
                let labels = vec![("error_type", error.error_type())];
                if command == "GET" {
                    self.get_errors.get_or_create(&labels).inc();
                }
                self.errors.get_or_create(&labels).inc();
                if *error == CallError::Timeout {
                    self.timeouts.inc();
                }
            }
            Event::Operation { operation, took, ended, .. } => {
                self.operations.get_or_create(&labels_of(*operation, ended)).inc();
                let labels = vec![("operation", operation.name())];
                self.durations.get_or_create(&labels).observe(took.as_secs_f64());
            }
            Event::Breaker { to: State::Open, .. } => {
                self.circuit_open.inc();
            }
            Event::ClassBreaker { class, to: State::Open, .. } => {
                self.class_circuit_open.get_or_create(&vec![("class", class.name())]).inc();
            }
            Event::Slow { .. } => {
                self.slow.inc();
            }
            Event::Corrupt { .. } => {
                self.corrupt.inc();
            }
            Event::Resync {
                what: Resync::Finished { sessions: brought } | Resync::Interrupted { brought, .. },
                ..
            } => {
                self.resynced.inc_by(*brought);
            }
            Event::Breaker { .. } | Event::ClassBreaker { .. } => {}
            Event::Mode { .. } | Event::Resync { .. } | Event::Disk { .. } | Event::Session { .. } => {}
        }
    }
}

fn labels_of(operation: Operation, ended: &Ended) -> Labels {
    vec![("operation", operation.name()), ("ended", ended.name())]
}

fn seconds() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])
}

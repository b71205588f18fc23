//! A log of what goes wrong and what changes, as `tracing` events with the fields of the cache-v4 system: `operation`, `error_type`,
//! `error_message`, `error_count`, `circuit_breaker_state`. With `tracing-subscriber`'s JSON form it is a structured log.
//!
//! What repeats is not repeated: each kind of trouble has a line in ten seconds at most, with the count of all errors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::answer::ServedBy;
use crate::client::SessionClient;
use crate::core::breaker::State;
use crate::core::time::Time;
use crate::event::{Ended, Event, Mode, Observer, Resync};
use crate::health_check::Status;
use crate::task::AbortOnDrop;

/// An observer that writes the log.
pub fn observer() -> Observer {
    let log = Log::default();
    Arc::new(move |event: &Event| log.write(event))
}

#[derive(Default)]
struct Log {
    errors: AtomicU64,
    /// When each kind of trouble was last written: what comes soon after it is counted only.
    written: Mutex<BTreeMap<(&'static str, &'static str), Time>>,
    breaker: Mutex<Option<State>>,
}

impl Log {
    fn write(&self, event: &Event) {
        match event {
            Event::Failed { at, command, error } => {
                let count = self.errors.fetch_add(1, Ordering::Relaxed) + 1;
                if self.is_due("call", error.error_type(), *at) {
                    warn!(
                        operation = command.as_str(),
                        error_type = error.error_type(),
                        error_message = %error,
                        error_count = count,
                        circuit_breaker_state = self.breaker(),
                        "redis call failed"
                    );
                }
            }
            Event::Operation { at, operation, ended: Ended::Failed(reason), .. }
                if self.is_due("operation", reason.code(), *at) =>
            {
                info!(
                    operation = operation.name(),
                    error_type = reason.code(),
                    error_message = %reason,
                    circuit_breaker_state = self.breaker(),
                    "session operation failed"
                );
            }
            Event::Breaker { to, reason, .. } => {
                *self.breaker.lock().unwrap_or_else(PoisonError::into_inner) = Some(*to);
                let count = self.errors.load(Ordering::Relaxed);
                warn!(
                    circuit_breaker_state = to.name(),
                    reason,
                    error_count = count,
                    "circuit breaker changed"
                );
            }
            Event::ClassBreaker { class, to, reason, .. } => {
                warn!(
                    class = class.name(),
                    state = to.name(),
                    reason,
                    "circuit breaker of a class of calls changed"
                );
            }
            Event::Mode { to: Mode::Local, .. } => warn!(backend = "memory", "sessions are served locally"),
            Event::Mode { to: Mode::Redis, .. } => info!(backend = "redis", "sessions are served by redis"),
            Event::Resync { what, .. } => match what {
                Resync::Started { sessions } => info!(sessions, "resync started"),
                Resync::Finished { sessions } => info!(sessions, "resync finished"),
                Resync::Interrupted { sessions, brought } => warn!(sessions, brought, "resync interrupted"),
            },
            Event::Slow { at, took } if self.is_due("slow", "", *at) => {
                warn!(took_ms = milliseconds(*took), "slow response of redis");
            }
            Event::Corrupt { at } if self.is_due("corrupt", "", *at) => {
                error!(error_type = "corrupt_value", "a value in redis is damaged or not ours")
            }
            Event::Disk { trouble: Some(why), .. } => {
                error!(error_type = "disk", error_message = why.as_str(), "the durable fallback failed");
            }
            Event::Disk { trouble: None, .. } => info!("the durable fallback works again"),
            Event::Session { line, .. } => {
                debug!(
                    action = line.what,
                    ttl_s = line.ttl.map(|ttl| ttl.as_secs()),
                    message_count = line.messages,
                    backend = backend(line.served_by),
                    "session"
                );
            }
            // Told lately, or nothing to tell.
            Event::Operation { .. } | Event::Slow { .. } | Event::Corrupt { .. } => {}
        }
    }

    /// Whether that kind of trouble is to be written, as none was for a while.
    fn is_due(&self, of: &'static str, kind: &'static str, at: Time) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let due = written.get(&(of, kind)).is_none_or(|last| at.since(*last) >= QUIET);
        if due {
            written.insert((of, kind), at);
        }
        due
    }

    fn breaker(&self) -> &'static str {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(State::Closed).name()
    }
}

/// Writes a line of health from time to time, until it is dropped.
#[must_use = "dropping it ends the lines"]
pub struct HealthLine {
    _task: AbortOnDrop,
}

impl HealthLine {
    /// Writes the first line at once, and then one `every` so often.
    pub fn start(client: SessionClient, every: Duration) -> Self {
        let runtime = client.store().runtime.clone();
        let task = runtime.spawn(async move {
            loop {
                line(&client).await;
                tokio::time::sleep(every).await;
            }
        });
        Self { _task: AbortOnDrop(task.abort_handle()) }
    }
}

async fn line(client: &SessionClient) {
    let health = client.health_check().await;
    let redis = health.redis.as_ref();
    let (status, own) = (health.status, &health.client);
    let why = health.why.as_deref().unwrap_or_default();
    let memory = redis.and_then(|redis| redis.used_memory);
    let hit_ratio = redis.and_then(|redis| redis.hit_ratio);
    match status {
        Status::Healthy => info!(
            status = "healthy",
            ping_ms = health.ping_ms,
            used_memory = memory,
            hit_ratio,
            connections = own.connections,
            circuit_breaker_state = own.breaker,
            local_sessions = own.local_sessions,
            dirty = own.dirty,
            "redis health"
        ),
        Status::Degraded | Status::Down => warn!(
            status = if status == Status::Down { "down" } else { "degraded" },
            why,
            ping_ms = health.ping_ms,
            used_memory = memory,
            hit_ratio,
            connections = own.connections,
            circuit_breaker_state = own.breaker,
            local_sessions = own.local_sessions,
            dirty = own.dirty,
            "redis health"
        ),
    }
}

/// How long a kind of trouble that was written is only counted.
const QUIET: Duration = Duration::from_secs(10);

/// As in the lines that say who serves.
fn backend(served_by: ServedBy) -> &'static str {
    match served_by {
        ServedBy::Redis => "redis",
        ServedBy::Local => "memory",
    }
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

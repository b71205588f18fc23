//! Tests of whole calls against a fake Redis that misbehaves, on paused time.

mod breaker;
mod calls;
mod classes;
mod reconfigured;

use std::sync::OnceLock;

use tokio::time::sleep;

use super::*;
use crate::fake_redis::{Door, FakeRedis};
use crate::settings::BreakerSettings;

const MS: Duration = Duration::from_millis(1);

struct Bench {
    redis: FakeRedis,
    gateway: Gateway,
    settings: Arc<Live>,
    clock: Clock,
    events: Arc<Mutex<Vec<Event>>>,
}

fn settings() -> Settings {
    let breaker = BreakerSettings { jitter: 0.0, ..BreakerSettings::default() };
    Settings { breaker, ..Settings::default() }
}

/// The breaker off, so that only the pool limits what is done.
fn without_breaker() -> Settings {
    Settings { breaker: BreakerSettings { enabled: false, ..settings().breaker }, ..settings() }
}

fn bench(settings: Settings) -> Bench {
    let (redis, clock, events) = (FakeRedis::default(), Clock::new(0), Arc::<Mutex<Vec<_>>>::default());
    let seen = Arc::clone(&events);
    let observer: Observer = Arc::new(move |event: &Event| lock(&seen).push(event.clone()));
    let endpoint = Endpoint::new(Arc::new(redis.clone()));
    let settings = Arc::new(Live::new(settings));
    let gateway = Gateway::start(Arc::clone(&settings), endpoint, clock.clone(), 7, observer, |_| {});
    Bench { redis, gateway, settings, clock, events }
}

impl Bench {
    async fn get(&self, key: &str) -> Result<Value, CallError> {
        self.call(redis::cmd("GET").arg(key), true).await
    }

    async fn call(&self, command: &Cmd, repeatable: bool) -> Result<Value, CallError> {
        self.gateway.call(command, repeatable, self.clock.now() + Duration::from_secs(2)).await
    }

    /// Calls until the breaker opens.
    async fn open_breaker(&self) {
        while self.gateway.state() == State::Closed {
            let _failed = self.get("k").await;
        }
    }

    fn states(&self) -> Vec<State> {
        let events = lock(&self.events);
        let to = events.iter().filter_map(|event| match event {
            Event::Breaker { to, .. } => Some(*to),
            Event::Mode { .. }
            | Event::Resync { .. }
            | Event::Slow { .. }
            | Event::Corrupt { .. }
            | Event::Disk { .. }
            | Event::Session { .. } => None,
            Event::ClassBreaker { .. } | Event::Operation { .. } | Event::Failed { .. } => None,
        });
        to.collect()
    }
}

fn value(key: &str) -> Result<Value, CallError> {
    Ok(Value::BulkString(key.as_bytes().to_vec()))
}

/// Runs so many calls at once and returns what came of them.
async fn crowd(bench: &Bench, callers: usize) -> Vec<Result<Value, CallError>> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (gateway, deadline) = (bench.gateway.clone(), bench.clock.now() + Duration::from_secs(2));
        tasks.spawn(async move { gateway.call(redis::cmd("GET").arg("k"), true, deadline).await });
    }
    tasks.join_all().await
}

//! Settings that change while calls are made.

use super::*;

impl Bench {
    fn reconfigure(&self, settings: Settings) {
        self.settings.replace(settings, |now| self.gateway.apply(now)).unwrap();
        self.gateway.tell();
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_waits_as_long_as_the_new_timeout_says() {
    let bench = bench(without_breaker());
    bench.redis.set_door(Door::Silent);
    let retry = crate::settings::RetrySettings { retries: 0, ..settings().retry };
    for timeout in [300 * MS, 70 * MS] {
        let mut settings = without_breaker();
        (settings.operation_timeout, settings.retry) = (timeout, retry.clone());
        settings.connect_timeout = timeout;
        bench.reconfigure(settings);
        let started = bench.clock.now();
        assert!(bench.get("k").await.is_err());
        let waited = bench.clock.now().since(started);
        assert!((timeout..2 * timeout).contains(&waited), "{timeout:?}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_by_the_new_threshold() {
    let bench = bench(settings());
    bench.redis.set_door(Door::Trap);
    let breaker = BreakerSettings { failures: 100, min_calls: 1000, ..settings().breaker };
    bench.reconfigure(Settings { breaker, ..settings() });
    while bench.redis.connects() < 7 {
        let _failed = bench.get("k").await;
    }
    assert_eq!(bench.states(), []);
    let before = bench.redis.connects();
    bench.reconfigure(settings());
    while bench.gateway.state() == State::Closed {
        let _failed = bench.get("k").await;
    }
    assert_eq!(bench.redis.connects(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn fewer_connections_than_are_open_are_used_from_then_on() {
    let bench = bench(settings());
    bench.redis.set_delay(MS);
    for _ in 0..3 {
        crowd(&bench, 100).await;
    }
    assert_eq!(bench.gateway.connections(), 4);
    let pool = crate::settings::PoolSettings { connections: 1, ..settings().pool };
    bench.reconfigure(Settings { pool, ..settings() });
    assert_eq!(crowd(&bench, 100).await, vec![value("k"); 100]);
    assert_eq!(bench.gateway.connections(), 1);
}

#[test]
fn a_setting_that_cannot_change_is_named_and_nothing_changes() {
    let live = Live::new(settings());
    let other = Settings { key_prefix: "other:".to_owned(), slow_call: MS, ..settings() };
    let told = live.replace(other, |_| panic!("it is refused")).unwrap_err().to_string();
    assert_eq!(told, "key_prefix cannot change while the client runs: start another client with it");
    let bad = Settings { deadline: MS, ..settings() };
    assert_eq!(
        live.replace(bad, |_| panic!("it is refused")).unwrap_err().to_string(),
        "deadline is 1ms; it must be from 500ms to 1h"
    );
    assert_eq!(*live.now(), settings());
}

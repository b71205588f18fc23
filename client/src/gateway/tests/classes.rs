//! Breakers and retries that a class of calls has of its own, and calls that are slow.

use super::*;
use crate::settings::{Attempts, PerClass, Thresholds};

fn with_writes_of_their_own() -> Settings {
    let writes = Some(Thresholds::default());
    let per_class = PerClass { writes, ..PerClass::default() };
    Settings { breaker: BreakerSettings { per_class, ..settings().breaker }, ..settings() }
}

fn set() -> Cmd {
    let mut set = redis::cmd("SET");
    set.arg("k").arg("v");
    set
}

#[tokio::test(start_paused = true)]
async fn a_redis_that_refuses_writes_is_left_alone_with_writes_and_goes_on_serving_reads() {
    let bench = bench(with_writes_of_their_own());
    bench.redis.refuse("SET", "MISCONF Redis is configured to save RDB snapshots");
    while bench.gateway.lets_through(Class::Writes) {
        assert!(bench.call(&set(), true).await.unwrap_err().definite());
    }
    let refused = bench.redis.count("SET");
    assert!(matches!(bench.call(&set(), true).await, Err(CallError::Rejected { .. })));
    assert_eq!((bench.redis.count("SET"), bench.get("k").await), (refused, value("k")));
    assert_eq!((bench.states(), bench.gateway.state()), (vec![], State::Closed));
    // A probe that is refused opens it again, and nobody else.
    sleep(Duration::from_secs(16)).await;
    assert_eq!((bench.redis.count("SET"), bench.gateway.lets_through(Class::Writes)), (refused + 1, false));
    bench.redis.refuse_nothing();
    while !bench.gateway.lets_through(Class::Writes) {
        bench.gateway.changed().await;
    }
    assert!(bench.call(&set(), true).await.is_ok());
    assert_eq!(bench.states(), []);
    let told = lock(&bench.events);
    let last = told.iter().rev().find_map(|event| match event {
        Event::ClassBreaker { class, to, .. } => Some((*class, *to)),
        _ => None,
    });
    assert_eq!(last, Some((Class::Writes, State::Closed)));
}

#[tokio::test(start_paused = true)]
async fn without_a_breaker_of_their_own_refused_writes_open_the_one_of_all() {
    let bench = bench(settings());
    bench.redis.refuse("SET", "MISCONF Redis is configured to save RDB snapshots");
    while bench.gateway.state() == State::Closed {
        assert!(bench.call(&set(), true).await.is_err());
    }
    assert!(matches!(bench.get("k").await, Err(CallError::Rejected { .. })));
}

#[tokio::test(start_paused = true)]
async fn each_class_is_tried_again_as_its_own_settings_say() {
    let none = Some(Attempts { retries: 0, ..Attempts::default() });
    let mut settings = without_breaker();
    settings.retry.per_class = PerClass { writes: none, ..PerClass::default() };
    let bench = bench(settings);
    for command in ["SET", "GET"] {
        bench.redis.refuse(command, "LOADING Redis is loading the dataset in memory");
    }
    assert!(bench.call(&set(), true).await.is_err() && bench.get("k").await.is_err());
    assert_eq!((bench.redis.count("SET"), bench.redis.count("GET")), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_redis_all_of_whose_answers_are_slow_opens_the_breaker_and_one_that_is_fast_at_times_does_not() {
    let slow = || Settings { slow_call: 100 * MS, ..settings() };
    for (fast_at_times, opens) in [(false, true), (true, false)] {
        let bench = bench(slow());
        // The handshake is no call. This one leaves the window.
        assert_eq!(bench.get("k").await, value("k"));
        for call in 0..100 {
            if bench.gateway.state() != State::Closed {
                break;
            }
            let fast = fast_at_times && call % 5 == 0;
            bench.redis.set_delay(if fast { MS } else { 200 * MS });
            assert_eq!(bench.get("k").await, value("k"));
        }
        assert_eq!(bench.states(), if opens { vec![State::Open] } else { vec![] });
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_slow_to_open_makes_none_of_those_who_wait_for_it_slow() {
    let bench = bench(Settings { slow_call: 100 * MS, ..settings() });
    // Each step of the handshake.
    bench.redis.set_delay(50 * MS);
    let quick_again = async {
        while bench.redis.count("INFO") < 2 {
            sleep(MS).await;
        }
        bench.redis.set_delay(Duration::ZERO);
    };
    let (outcomes, ()) = tokio::join!(crowd(&bench, 100), quick_again);
    assert_eq!(outcomes, vec![value("k"); 100]);
    let slow = lock(&bench.events).iter().filter(|event| matches!(event, Event::Slow { .. })).count();
    assert_eq!(slow, 100, "the handshake was no longer than a call may take");
    assert_eq!(bench.states(), []);
}

#[tokio::test(start_paused = true)]
async fn a_demoted_name_opens_the_breaker_of_all_even_where_each_class_has_its_own() {
    let own =
        Some(Thresholds { failures: 1000, failure_rate: 1.0, min_calls: 1_000_000, ..Thresholds::default() });
    let per_class = PerClass { reads: own, writes: own, upkeep: own };
    let bench =
        bench(Settings { breaker: BreakerSettings { per_class, ..settings().breaker }, ..settings() });
    bench.redis.refuse("TIME", "LOADING Redis is loading the dataset in memory");
    while bench.gateway.state() == State::Closed {
        assert!(bench.get("k").await.unwrap_err().definite());
    }
    assert_eq!(bench.states(), [State::Open]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_a_class_that_hangs_is_the_last_on_its_connection() {
    let mut settings = Settings { drop_after_timeouts: 1000, ..with_writes_of_their_own() };
    settings.breaker.probe_lease = 100 * MS;
    let bench = bench(settings);
    assert!(bench.call(&set(), true).await.is_ok());
    bench.redis.silence_open_connections();
    while bench.gateway.lets_through(Class::Writes) {
        assert!(bench.call(&set(), false).await.is_err());
    }
    let connects = bench.redis.connects();
    sleep(Duration::from_secs(15 + 30 + 2)).await;
    assert_eq!((bench.gateway.lets_through(Class::Writes), bench.redis.connects()), (true, connects + 1));
}

#[tokio::test(start_paused = true)]
async fn where_slow_calls_do_not_count_they_open_nothing() {
    let breaker = BreakerSettings { slow_calls: false, ..settings().breaker };
    let bench = bench(Settings { slow_call: 100 * MS, breaker, ..settings() });
    assert_eq!(bench.get("k").await, value("k"));
    bench.redis.set_delay(200 * MS);
    for _ in 0..30 {
        assert_eq!(bench.get("k").await, value("k"));
    }
    assert_eq!(bench.states(), []);
}

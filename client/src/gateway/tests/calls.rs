//! One call: its connection, its deadline, its retries, and its end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_call_brings_its_reply() {
    let bench = bench(settings());
    assert_eq!(bench.get("k").await, value("k"));
    assert_eq!((bench.redis.connects(), bench.gateway.connections()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_gone_silent_is_left_after_two_timeouts_within_one_call() {
    let bench = bench(settings());
    bench.get("a").await.unwrap();
    bench.redis.silence_open_connections();
    assert_eq!(bench.get("b").await, value("b"));
    assert_eq!(bench.redis.connects(), 2);
    assert_eq!(bench.gateway.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_whole_pool_that_has_gone_silent_is_left_at_once() {
    let bench = bench(settings());
    bench.redis.set_delay(MS);
    crowd(&bench, 100).await;
    assert!(bench.gateway.connections() > 1);
    bench.redis.silence_open_connections();
    assert_eq!(bench.get("b").await, value("b"));
    assert_eq!(bench.gateway.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_was_reset_costs_the_next_call_nothing() {
    let bench = bench(settings());
    bench.get("a").await.unwrap();
    bench.redis.cut_open_connections();
    sleep(MS).await;
    assert_eq!(bench.gateway.connections(), 0);
    let mut incr = redis::cmd("INCR");
    assert!(bench.call(incr.arg("n"), false).await.is_ok());
    assert_eq!(bench.redis.count("INCR"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_idle_for_long_is_asked_first_and_replaced_if_it_is_gone() {
    let bench = bench(settings());
    bench.get("a").await.unwrap();
    sleep(Duration::from_secs(31)).await;
    assert_eq!(bench.get("b").await, value("b"));
    assert_eq!((bench.redis.count("PING"), bench.redis.connects()), (1, 1));
    sleep(Duration::from_secs(31)).await;
    bench.redis.silence_open_connections();
    let mut incr = redis::cmd("INCR");
    assert!(bench.call(incr.arg("n"), false).await.is_ok());
    assert_eq!((bench.redis.count("INCR"), bench.redis.connects()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn many_callers_ask_an_idle_connection_only_once() {
    let bench = bench(settings());
    bench.get("a").await.unwrap();
    bench.redis.set_delay(MS);
    sleep(Duration::from_secs(31)).await;
    assert!(crowd(&bench, 10).await.iter().all(Result::is_ok));
    assert_eq!(bench.redis.count("PING"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_one_attempt_may_have_done_a_later_rejection_does_not_undo() {
    let bench = bench(Settings { drop_after_timeouts: 1, ..settings() });
    bench.get("a").await.unwrap();
    // The first attempt is swallowed; then there is no other connection.
    bench.redis.silence_open_connections();
    bench.redis.set_door(Door::Refused);
    let error = bench.call(redis::cmd("SET").arg("k").arg("v"), true).await.unwrap_err();
    assert_eq!((error.definite(), error.code()), (false, "timeout"));
    // Nothing of this one ever left.
    let error = bench.call(redis::cmd("SET").arg("k").arg("v"), true).await.unwrap_err();
    assert!(error.definite(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_applied_is_sent_again_only_if_that_does_no_harm() {
    let bench = bench(settings());
    bench.get("a").await.unwrap();
    bench.redis.silence_open_connections();
    let error = bench.call(redis::cmd("INCR").arg("n"), false).await.unwrap_err();
    assert_eq!(error, CallError::Timeout);
    assert_eq!(bench.redis.count("INCR"), 1);
}

#[tokio::test(start_paused = true)]
async fn no_call_ends_after_its_deadline() {
    for door in [Door::Open, Door::Refused, Door::Hanging, Door::Silent, Door::Trap] {
        for deadline_ms in [0, 1, 30, 499, 500, 501, 999, 1200, 2000] {
            let bench = bench(Settings { connect_timeout: 1700 * MS, ..without_breaker() });
            if door == Door::Open {
                bench.redis.set_delay(600 * MS);
            }
            bench.redis.set_door(door);
            for _ in 0..4 {
                let started = bench.clock.now();
                let call =
                    bench.gateway.call(redis::cmd("GET").arg("k"), true, started + deadline_ms * MS).await;
                let took = bench.clock.now().since(started);
                assert!(
                    took <= (deadline_ms + 2) * MS,
                    "{door:?}, {deadline_ms} ms: {call:?} after {took:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connections_idle_and_silent_cost_no_more_than_the_deadline_either() {
    let bench = bench(settings());
    bench.redis.set_delay(MS);
    crowd(&bench, 100).await;
    assert!(bench.gateway.connections() > 1);
    sleep(Duration::from_secs(31)).await;
    bench.redis.silence_open_connections();
    bench.redis.set_door(Door::Hanging);
    let started = bench.clock.now();
    assert!(bench.get("k").await.unwrap_err().definite());
    assert!(bench.clock.now().since(started) <= 2002 * MS);
    bench.open_breaker().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_goes_on_being_opened_when_its_caller_has_gone() {
    let bench = bench(settings());
    bench.redis.set_delay(100 * MS);
    let impatient = tokio::time::timeout(50 * MS, bench.get("k")).await;
    assert!(impatient.is_err());
    sleep(400 * MS).await;
    assert_eq!(bench.gateway.connections(), 1);
    assert_eq!(bench.get("k").await, value("k"));
    assert_eq!(bench.redis.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_without_patience_do_not_hide_that_a_connection_has_gone_silent() {
    let bench = bench(settings());
    bench.get("a").await.unwrap();
    bench.redis.silence_open_connections();
    for _ in 0..20 {
        let _gone = tokio::time::timeout(100 * MS, bench.get("k")).await;
    }
    assert_eq!(bench.get("b").await, value("b"));
    assert_eq!(bench.redis.connects(), 2);
}

#[tokio::test(start_paused = true)]
async fn cancelled_callers_leak_nothing_and_no_reply_finds_another_call() {
    let bench = bench(Settings {
        pool: crate::settings::PoolSettings { connections: 2, in_flight: 64 },
        ..settings()
    });
    bench.redis.set_delay(3 * MS);
    let mut wrong = 0;
    for round in 0..2000_u32 {
        let key = format!("key-{round}");
        let patience = Duration::from_micros(u64::from(round % 17) * 500);
        let both = tokio::join!(tokio::time::timeout(patience, bench.get(&key)), bench.get("steady"));
        wrong += u32::from(matches!(both.0, Ok(reply) if reply != value(&key)));
        wrong += u32::from(both.1 != value("steady"));
    }
    assert_eq!(wrong, 0);
    assert_eq!(bench.gateway.shared.in_flight.available_permits(), 64);
    assert!(bench.gateway.connections() <= 2);
    assert_eq!(bench.states(), []);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_after_the_timeout_finds_no_other_call() {
    let bench = bench(Settings { drop_after_timeouts: 5, ..without_breaker() });
    bench.get("a").await.unwrap();
    bench.redis.set_delay(700 * MS);
    assert_eq!(bench.call(redis::cmd("GET").arg("late"), false).await, Err(CallError::Timeout));
    bench.redis.set_delay(Duration::ZERO);
    assert_eq!(bench.get("b").await, value("b"));
    assert_eq!(bench.redis.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_calls_than_may_be_in_flight_are_surely_not_sent() {
    let bench = bench(Settings {
        pool: crate::settings::PoolSettings { connections: 1, in_flight: 8 },
        ..settings()
    });
    bench.redis.set_delay(MS);
    let outcomes = crowd(&bench, 20).await;
    let refused = outcomes.iter().filter(|outcome| **outcome == Err(CallError::Overloaded)).count();
    assert_eq!((refused, bench.redis.count("GET")), (12, 8));
}

#[tokio::test(start_paused = true)]
async fn a_closed_gateway_opens_no_connection_and_sends_no_probe() {
    let bench = bench(settings());
    bench.redis.set_door(Door::Refused);
    bench.open_breaker().await;
    bench.redis.set_door(Door::Open);
    let connects = bench.redis.connects();
    bench.gateway.close();
    assert_eq!(bench.get("k").await, Err(CallError::Closed));
    sleep(Duration::from_secs(120)).await;
    assert_eq!((bench.redis.connects(), bench.gateway.connections()), (connects, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_to_try_again_when_the_gateway_closes_opens_no_connection() {
    let bench = bench(without_breaker());
    bench.redis.set_door(Door::Refused);
    let closing = async {
        sleep(2 * MS).await;
        bench.gateway.close();
        bench.redis.connects()
    };
    let (outcome, connects) = tokio::join!(bench.get("k"), closing);
    assert!(outcome.is_err());
    assert_eq!(bench.redis.connects(), connects);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_gateway_ends_its_tasks_and_connections() {
    let bench = bench(settings());
    bench.get("k").await.unwrap();
    let shared = Arc::downgrade(&bench.gateway.shared);
    drop(bench.gateway);
    sleep(MS).await;
    assert!(shared.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_told_of() {
    let bench = bench(Settings { slow_call: 100 * MS, ..settings() });
    bench.get("a").await.unwrap();
    bench.redis.set_delay(200 * MS);
    bench.get("a").await.unwrap();
    let slow = matches!(lock(&bench.events)[..], [Event::Slow { took, .. }] if took >= 200 * MS);
    assert!(slow);
}

#[tokio::test(start_paused = true)]
async fn retries_add_no_more_load_than_their_budget() {
    let bench = bench(without_breaker());
    bench.redis.refuse("GET", "LOADING Redis is loading");
    let started = bench.clock.now();
    for _ in 0..2000 {
        assert!(bench.get("k").await.is_err());
    }
    let seconds = bench.clock.now().since(started).as_secs_f64();
    let retries = (bench.redis.count("GET") - 2000) as f64;
    assert!(retries <= 100.0 + 0.2 * 2000.0 + 10.0 * seconds, "{retries} in {seconds} s");
}

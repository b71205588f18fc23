//! Tests of whole calls against a fake Redis that misbehaves, on paused time.

use std::sync::OnceLock;

use tokio::time::sleep;

use super::*;
use crate::fake_redis::{Door, FakeRedis};
use crate::settings::BreakerSettings;

const MS: Duration = Duration::from_millis(1);

struct Bench {
    redis: FakeRedis,
    gateway: Gateway,
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
    let gateway = Gateway::start(settings, endpoint, clock.clone(), 7, observer, |_| {});
    Bench { redis, gateway, clock, events }
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
            Event::Mode { .. } | Event::Resync { .. } | Event::Slow { .. } | Event::Corrupt { .. } => None,
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
async fn refused_connects_neither_spin_nor_storm() {
    let bench = bench(without_breaker());
    bench.redis.set_door(Door::Refused);
    let started = bench.clock.now();
    for _ in 0..10 {
        let outcomes = crowd(&bench, 50).await;
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().definite()));
    }
    let seconds = bench.clock.now().since(started).as_secs_f64();
    assert!(
        bench.redis.connects() as f64 <= 10.0 + seconds * 4.0,
        "{} in {seconds} s",
        bench.redis.connects()
    );
}

#[tokio::test(start_paused = true)]
async fn refused_connects_open_the_breaker_and_then_there_are_none() {
    let bench = bench(settings());
    bench.redis.set_door(Door::Refused);
    crowd(&bench, 500).await;
    assert_eq!(bench.states(), [State::Open]);
    let connects = bench.redis.connects();
    assert!(connects <= 3, "{connects}");
    let error = bench.get("k").await.unwrap_err();
    assert!(matches!(error, CallError::Rejected { .. }) && error.definite());
    sleep(Duration::from_secs(14)).await;
    assert_eq!(bench.redis.connects(), connects);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_at_its_first_command_is_not_opened_again_and_again() {
    let bench = bench(without_breaker());
    bench.redis.set_door(Door::Trap);
    let started = bench.clock.now();
    for _ in 0..100 {
        assert_eq!(bench.get("k").await.unwrap_err().code(), "reset");
    }
    let seconds = bench.clock.now().since(started).as_secs_f64();
    assert!(
        bench.redis.connects() as f64 <= 10.0 + seconds * 4.0,
        "{} in {seconds} s",
        bench.redis.connects()
    );
}

#[tokio::test(start_paused = true)]
async fn a_demoted_primary_is_left_but_not_dialled_again_and_again() {
    let bench = bench(without_breaker());
    bench.redis.refuse("SET", "READONLY You can't write against a read only replica.");
    let started = bench.clock.now();
    for _ in 0..100 {
        let error = bench.call(redis::cmd("SET").arg("k").arg("v"), true).await.unwrap_err();
        assert!(error.definite());
        assert_eq!(bench.get("k").await, value("k"));
    }
    assert!(bench.redis.connects() > 1);
    let seconds = bench.clock.now().since(started).as_secs_f64();
    assert!(
        bench.redis.connects() as f64 <= 10.0 + seconds * 4.0,
        "{} in {seconds} s",
        bench.redis.connects()
    );
}

#[tokio::test(start_paused = true)]
async fn five_hundred_callers_at_half_open_make_one_probe() {
    let bench = bench(settings());
    bench.redis.set_door(Door::Refused);
    bench.open_breaker().await;
    bench.redis.set_door(Door::Open);
    bench.redis.set_delay(100 * MS);
    let (connects, changed) = (bench.redis.connects(), bench.gateway.changed());
    changed.await;
    assert_eq!(bench.gateway.state(), State::HalfOpen);
    let outcomes = crowd(&bench, 500).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(CallError::Rejected { .. }))));
    bench.gateway.changed().await;
    assert_eq!(bench.states(), [State::Open, State::HalfOpen, State::Closed]);
    assert_eq!((bench.redis.count("PING"), bench.redis.connects() - connects), (1, 1));
    assert_eq!((bench.redis.count("GET"), bench.get("k").await), (0, value("k")));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_opens_it_again_for_longer_and_the_next_one_may_close_it() {
    for door in [Door::Silent, Door::Hanging] {
        let bench = bench(settings());
        bench.redis.set_door(door);
        bench.open_breaker().await;
        sleep(Duration::from_secs(15 + 3)).await;
        assert_eq!(bench.states(), [State::Open, State::HalfOpen, State::Open]);
        bench.redis.set_door(Door::Open);
        sleep(Duration::from_secs(27)).await;
        assert_eq!(bench.gateway.state(), State::Open);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(bench.gateway.state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_this_user_may_not_send_still_shows_that_redis_is_there() {
    let bench = bench(settings());
    bench.redis.set_door(Door::Refused);
    bench.open_breaker().await;
    bench.redis.set_door(Door::Open);
    bench.redis.refuse("PING", "NOPERM this user has no permissions to run the 'ping' command");
    sleep(Duration::from_secs(16)).await;
    assert_eq!(bench.gateway.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_redis_that_loads_its_data_is_left_alone_until_it_is_done() {
    let bench = bench(settings());
    ["GET", "PING"].iter().for_each(|command| bench.redis.refuse(command, "LOADING Redis is loading"));
    assert!(bench.get("k").await.unwrap_err().definite());
    sleep(Duration::from_secs(16)).await;
    assert_eq!(bench.states(), [State::Open, State::HalfOpen, State::Open]);
    bench.redis.refuse_nothing();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(bench.get("k").await, value("k"));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_tried_once_a_call_and_opens_the_breaker() {
    let bench = bench(settings());
    bench.redis.refuse("TIME", "NOAUTH Authentication required.");
    for _ in 0..3 {
        assert!(matches!(bench.get("k").await, Err(CallError::Auth(_))));
    }
    assert_eq!((bench.redis.connects(), bench.gateway.state()), (3, State::Open));
    assert_eq!(bench.gateway.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_may_not_ask_for_info_is_served() {
    let bench = bench(settings());
    bench.redis.refuse("INFO", "NOPERM this user has no permissions to run the 'info' command");
    assert_eq!(bench.get("k").await, value("k"));
}

#[tokio::test(start_paused = true)]
async fn a_redis_that_is_full_goes_on_serving_reads() {
    let bench = bench(settings());
    bench.redis.refuse("SET", "OOM command not allowed when used memory > 'maxmemory'.");
    for _ in 0..10 {
        assert!(bench.call(redis::cmd("SET").arg("k").arg("v"), true).await.unwrap_err().definite());
    }
    assert_eq!((bench.redis.count("SET"), bench.get("k").await), (10, value("k")));
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
async fn nothing_is_sent_by_a_call_that_got_its_connection_after_the_breaker_opened() {
    let bench = bench(settings());
    bench.redis.set_delay(400 * MS);
    let waiting = crowd(&bench, 1);
    let opening = async {
        sleep(100 * MS).await;
        for _ in 0..3 {
            let permit = bench.gateway.shared.ask().unwrap();
            bench.gateway.shared.record(permit, Outcome::Failure);
        }
    };
    let (outcomes, ()) = tokio::join!(waiting, opening);
    assert!(outcomes[0].as_ref().unwrap_err().definite());
    assert_eq!(bench.redis.count("GET"), 0);
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
async fn an_observer_may_ask_the_gateway_and_sees_the_state_that_it_is_told() {
    let redis = FakeRedis::default();
    redis.set_door(Door::Refused);
    let gateway = Arc::new(OnceLock::<Gateway>::new());
    let (asked, seen) = (Arc::clone(&gateway), Arc::<Mutex<Vec<_>>>::default());
    let states = Arc::clone(&seen);
    let observer: Observer = Arc::new(move |event: &Event| {
        if let (Event::Breaker { to, .. }, Some(gateway)) = (event, asked.get()) {
            lock(&states).push((*to, gateway.state()));
        }
    });
    let clock = Clock::new(0);
    let endpoint = Endpoint::new(Arc::new(redis.clone()));
    let gateway =
        gateway.get_or_init(|| Gateway::start(settings(), endpoint, clock.clone(), 7, observer, |_| {}));
    let deadline = clock.now() + Duration::from_secs(2);
    while gateway.call(&redis::cmd("PING"), true, deadline).await.is_err_and(|error| error.transient()) {}
    redis.set_door(Door::Open);
    sleep(Duration::from_secs(16)).await;
    let expected = [State::Open, State::HalfOpen, State::Closed].map(|state| (state, state));
    assert_eq!(*lock(&seen), expected);
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

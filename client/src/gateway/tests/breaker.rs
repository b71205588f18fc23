//! What opens and closes the breaker, and what is sent meanwhile.

use super::*;

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
async fn a_connection_that_ends_is_one_failure_however_many_calls_it_carried() {
    let bench = bench(settings());
    for round in 0..3 {
        assert_eq!(bench.get("k").await, value("k"));
        bench.redis.silence_open_connections();
        let cut = async {
            sleep(10 * MS).await;
            bench.redis.cut_open_connections();
        };
        let (outcomes, ()) = tokio::join!(crowd(&bench, 8), cut);
        assert_eq!((bench.states(), bench.redis.connects()), (vec![], round + 2));
        assert_eq!(outcomes, vec![value("k"); 8]);
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_end_together_are_one_failure() {
    let bench = bench(settings());
    bench.redis.set_delay(MS);
    crowd(&bench, 100).await;
    crowd(&bench, 100).await;
    assert!(bench.gateway.connections() >= 3, "{}", bench.gateway.connections());
    bench.redis.set_delay(Duration::ZERO);
    bench.redis.silence_open_connections();
    let cut = async {
        sleep(10 * MS).await;
        bench.redis.cut_open_connections();
    };
    let (_, ()) = tokio::join!(crowd(&bench, 100), cut);
    assert_eq!(bench.states(), []);
    assert_eq!(bench.get("k").await, value("k"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_refused_is_one_failure_however_many_calls_await_it() {
    let bench = bench(settings());
    bench.redis.set_door(Door::Refused);
    let open = async {
        while bench.redis.connects() == 0 {
            tokio::task::yield_now().await;
        }
        bench.redis.set_door(Door::Open);
    };
    let (outcomes, ()) = tokio::join!(crowd(&bench, 8), open);
    assert_eq!((bench.states(), bench.redis.connects()), (vec![], 2));
    assert_eq!(outcomes, vec![value("k"); 8]);
}

#[tokio::test(start_paused = true)]
async fn connections_that_end_one_after_the_other_open_the_breaker() {
    let bench = bench(settings());
    bench.redis.set_door(Door::Trap);
    crowd(&bench, 20).await;
    bench.open_breaker().await;
    assert_eq!(bench.redis.connects(), 3);
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
async fn nothing_is_sent_by_a_call_that_got_its_connection_after_the_breaker_opened() {
    let bench = bench(settings());
    bench.redis.set_delay(400 * MS);
    let waiting = crowd(&bench, 1);
    let opening = async {
        sleep(100 * MS).await;
        for _ in 0..3 {
            let shared = &bench.gateway.shared;
            let pass = shared.ask(Class::Reads).unwrap();
            shared.breakers.record(pass, (Outcome::Failure, Scope::Call));
        }
    };
    let (outcomes, ()) = tokio::join!(waiting, opening);
    assert!(outcomes[0].as_ref().unwrap_err().definite());
    assert_eq!(bench.redis.count("GET"), 0);
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
    let gateway = gateway.get_or_init(|| {
        Gateway::start(Arc::new(Live::new(settings())), endpoint, clock.clone(), 7, observer, |_| {})
    });
    let deadline = clock.now() + Duration::from_secs(2);
    while gateway.call(&redis::cmd("PING"), true, deadline).await.is_err_and(|error| error.transient()) {}
    redis.set_door(Door::Open);
    sleep(Duration::from_secs(16)).await;
    let expected = [State::Open, State::HalfOpen, State::Closed].map(|state| (state, state));
    assert_eq!(*lock(&seen), expected);
}

//! The end of a client, and callers who go away or come all at once.

use std::sync::Arc;
use std::time::Duration;

use squall_client::core::breaker::{Force, State};
use squall_client::settings::{Fallback, PoolSettings};
use squall_client::{
    Cache, CallError, Clock, Endpoint, Environment, Level, Lookup, Metrics, ServedBy, SessionClient,
    SessionError, SessionStore, Settings, Status, Tcp, observe::log::HealthLine,
};

use crate::redis::{MINUTE, Redis, create, eventually, free_port, fresh, quick, value};
use crate::support::{calm, in_time, said, works};

#[tokio::test]
async fn every_call_after_the_shutdown_says_so_at_once() {
    let Some(redis) = Redis::start().await else { return };
    let settings = calm();
    let a = redis.session_client(1, &settings);
    let (cache, store) = (Cache::over(a.client.clone()), SessionStore::<u8>::over(a.client.clone()));
    create(&a, "s", "x", MINUTE).await;
    a.client.shutdown().await;
    in_time(&settings, a.client.shutdown()).await;
    in_time(&settings, cache.shutdown()).await;
    let text = "the client is shut down";
    assert_eq!(said(a.client.create("n", value("x"), MINUTE).await), text);
    assert_eq!(said(a.client.update("s", value("y")).await), text);
    assert_eq!(said(a.client.touch("s", MINUTE).await), text);
    assert_eq!(said(a.client.destroy("s").await), text);
    assert_eq!(said(a.client.clear("*").await), text);
    assert_eq!(said(a.client.count().await), text);
    assert_eq!(said(cache.add("c", 1, None).await), text);
    assert_eq!(said(cache.set("s", value("y"), MINUTE).await), text);
    assert_eq!(said(store.of_user("alice").await), text);
    assert_eq!(said(store.create("n", Some("alice"), &7, MINUTE).await), text);
    let unseen = a.client.get("unseen").await;
    assert_eq!(unseen, Ok(Lookup::Unknown { because: CallError::Closed }));
    let health = a.client.health_check().await;
    assert_eq!((health.status, health.why.as_deref()), (Status::Down, Some(text)));
    assert_eq!(a.client.stats().dirty, 0);
    eventually("its connections are closed", || async { a.client.stats().connections == 0 }).await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("x"), "what was refused did not happen");
}

#[tokio::test]
async fn a_shutdown_while_redis_hangs_ends_within_its_deadline() {
    let Some(redis) = Redis::start().await else { return };
    let settings = quick();
    let a = redis.session_client(1, &settings);
    let cache = Cache::over(a.client.clone());
    create(&a, "s", "x", MINUTE).await;
    redis.pause();
    let ack = in_time(&settings, a.client.update("s", value("y"))).await.unwrap();
    assert_eq!(ack.served_by, ServedBy::Local);
    cache.add("c", 1, None).await.unwrap();
    in_time(&settings, a.client.shutdown()).await;
    in_time(&settings, cache.shutdown()).await;
    redis.go_on();
}

#[tokio::test]
async fn a_shutdown_brings_what_waits_though_the_breaker_has_not_cooled_down() {
    let Some(redis) = Redis::start().await else { return };
    let mut settings = quick();
    settings.breaker.cool_down = MINUTE;
    settings.breaker.cool_down_max = MINUTE;
    let a = redis.session_client(1, &settings);
    create(&a, "s", "x", MINUTE).await;
    redis.pause();
    eventually("the breaker opens", || async {
        in_time(&settings, a.client.update("s", value("y"))).await.unwrap();
        a.client.stats().breaker == State::Open
    })
    .await;
    redis.go_on();
    assert_eq!(a.client.stats().dirty, 1);
    in_time(&settings, a.client.shutdown()).await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("y"));
}

#[tokio::test]
async fn a_breaker_that_somebody_forced_open_stays_so_through_the_shutdown() {
    let Some(redis) = Redis::start().await else { return };
    let settings = quick();
    let a = redis.session_client(1, &settings);
    create(&a, "s", "x", MINUTE).await;
    a.client.force_breaker(Force::Open);
    let ack = in_time(&settings, a.client.update("s", value("y"))).await.unwrap();
    assert_eq!(ack.served_by, ServedBy::Local);
    in_time(&settings, a.client.shutdown()).await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("x"), "Redis was to be left alone");
}

#[test]
fn a_client_whose_runtime_ends_first_neither_hangs_nor_panics() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = quick();
    let tcp = Tcp { host: "127.0.0.1".to_owned(), port: free_port(), keepalive: settings.keepalive.clone() };
    let environment = Environment { disk: Some(folder.path().join("sessions")), ..Environment::new(1) };
    let (client, cache, store, line) = {
        let _entered = runtime.enter();
        let client = SessionClient::start(settings, Endpoint::new(Arc::new(tcp)), environment).unwrap();
        let line = HealthLine::start(client.clone(), Duration::from_millis(1));
        (client.clone(), Cache::over(client.clone()), SessionStore::<u8>::over(client), line)
    };
    let ack = runtime.block_on(client.create("s", value("x"), MINUTE)).unwrap();
    assert_eq!(ack.level, Level::Disk);
    drop(runtime);
    // What is made of it now has a runtime that has ended: no panic, and its tasks never run.
    let late = SessionStore::<u8>::over(client.clone());
    drop((Cache::over(client.clone()), late, HealthLine::start(client.clone(), MINUTE), line));
    let second = tokio::runtime::Runtime::new().unwrap();
    let found = second.block_on(client.get("s")).unwrap();
    assert!(matches!(found, Lookup::Found { served_by: ServedBy::Local, .. }), "{found:?}");
    second.block_on(client.shutdown());
    assert!(Metrics::new().text(&client).contains("dirty_sessions 1"));
    drop((client, cache, store));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_calls_at_once_are_answered_or_refused_by_name_in_time() {
    let Some(redis) = Redis::start().await else { return };
    let settings = Settings {
        pool: PoolSettings { in_flight: 64, ..PoolSettings::default() },
        deadline: Duration::from_secs(20),
        operation_timeout: Duration::from_secs(20),
        fallback: Fallback::None,
        ..quick()
    };
    let a = redis.session_client(1, &settings);
    create(&a, "s", "x", MINUTE).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100_000 {
        let client = a.client.clone();
        tasks.spawn(async move { client.get("s").await });
    }
    let (mut found, mut refused) = (0, 0);
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            match ended.expect("no panic").expect("a get is answered") {
                Lookup::Found { served_by: ServedBy::Redis, .. } => found += 1,
                Lookup::Unknown { because: CallError::Overloaded } => refused += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    in_time(&settings, all).await;
    assert_eq!(found + refused, 100_000);
    assert!(found > 0, "{refused} were refused");
    let text = "too many calls in flight: pool.in_flight says how many may be";
    assert_eq!(CallError::Overloaded.to_string(), text);
    assert!(a.client.stats().connections <= 4);
    works(&redis, &a).await;
}

#[tokio::test]
async fn one_call_more_than_may_be_in_flight_is_refused_and_counts_for_nobody() {
    let Some(redis) = Redis::start().await else { return };
    let settings = Settings {
        pool: PoolSettings { in_flight: 1, ..PoolSettings::default() },
        fallback: Fallback::None,
        operation_timeout: Duration::from_secs(5),
        deadline: Duration::from_secs(5),
        ..quick()
    };
    let mut settings = settings;
    settings.resync.enabled = false;
    let a = redis.session_client(1, &settings);
    create(&a, "s", "x", MINUTE).await;
    redis.pause();
    let client = a.client.clone();
    let first = tokio::spawn(async move { client.get("s").await });
    // It runs until it waits for the reply.
    tokio::task::yield_now().await;
    let refused = a.client.update("s", value("y")).await;
    assert_eq!(refused, Err(SessionError::Call(CallError::Overloaded)));
    redis.go_on();
    assert!(matches!(first.await.unwrap(), Ok(Lookup::Found { .. })));
    assert_eq!(a.client.stats().breaker, State::Closed);
    works(&redis, &a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_go_away_at_any_moment_leave_nothing_behind() {
    let Some(redis) = Redis::start().await else { return };
    let a = Arc::new(redis.session_client(1, &calm()));
    let clock = Clock::system();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..2_000_u64 {
        let a = Arc::clone(&a);
        tasks.spawn(async move {
            let patience = Duration::from_micros(number * 7919 % 3000);
            let id = format!("s{}", number % 50);
            let doing = async {
                match number % 4 {
                    0 => a.client.create(&id, value(&number.to_string()), MINUTE).await.map(|_| ()),
                    1 => a.client.update(&id, value("later")).await.map(|_| ()),
                    2 => a.client.get(&id).await.map(|_| ()),
                    _ => a.client.destroy(&id).await.map(|_| ()),
                }
            };
            tokio::time::timeout(patience, doing).await.is_err()
        });
    }
    let given_up = tasks.join_all().await.into_iter().filter(|gone| *gone).count();
    assert!(given_up > 0, "after {:?}", clock.now());
    a.clean().await;
    for number in 0..50 {
        let id = format!("s{number}");
        let here = crate::redis::read(&a, &id).await;
        assert_eq!(fresh(&redis, &id).await, here, "{id}");
    }
    works(&redis, &a).await;
    assert!(a.client.stats().connections <= 4);
}

//! Sessions of every size: empty, large, just too large, and larger than anybody should write.

use bytes::Bytes;
use squall_client::settings::LocalSettings;
use squall_client::{Cache, Event, Level, Lookup, SessionError, Settings};

use crate::redis::{MINUTE, Redis, Told, create, eventually, value};
use crate::support::{damaged, patient, works};

pub(crate) const MIB: usize = 1 << 20;

pub(crate) fn large(length: usize) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

/// Settings with a local copy of so many bytes.
pub(crate) fn holding(bytes: u64) -> Settings {
    Settings { local: LocalSettings { bytes, ..LocalSettings::default() }, ..patient() }
}

/// How long a value is, if Redis has it.
pub(crate) async fn length(told: &Told, id: &str) -> Option<usize> {
    match told.client.get(id).await {
        Ok(Lookup::Found { session, .. }) => Some(session.value.len()),
        Ok(Lookup::Absent { .. }) => None,
        other => panic!("{id}: {other:?}"),
    }
}

#[tokio::test]
async fn sessions_of_no_bytes_and_of_a_mebibyte_come_back_as_they_were() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (redis.session_client(1, &patient()), redis.session_client(2, &patient()));
    for size in [0, 1, MIB] {
        let ack = a.client.create("s", large(size), MINUTE).await.unwrap();
        assert_eq!(ack.level, Level::Redis);
        assert_eq!(length(&b, "s").await, Some(size));
        a.client.update("s", large(0)).await.unwrap();
        assert_eq!(length(&b, "s").await, Some(0));
    }
    damaged(&b, 0);
}

#[tokio::test]
async fn a_session_that_the_local_copy_could_never_hold_is_refused_by_name_and_drives_out_nobody() {
    let Some(redis) = Redis::start().await else { return };
    let settings = holding(10_000);
    let a = redis.session_client(1, &settings);
    create(&a, "small", "x", MINUTE).await;
    let beside = 256 + "s".len();
    for size in [10_000 - beside + 1, 10_000, 10_001, MIB] {
        let takes = (size + beside) as u64;
        for error in [
            a.client.create("s", large(size), MINUTE).await.unwrap_err(),
            a.client.update("s", large(size)).await.unwrap_err(),
        ] {
            assert_eq!(error, SessionError::TooLarge { bytes: takes, most: 10_000 });
            let text = format!(
                "the session takes {takes} bytes, and the local copy holds 10000 at most: raise local.bytes"
            );
            assert_eq!(error.to_string(), text);
            assert!(error.definite());
        }
    }
    assert_eq!(a.client.stats().local_sessions, 1, "the small one is still known");
    let ack = a.client.create("s", large(10_000 - beside), MINUTE).await.unwrap();
    assert_eq!(ack.level, Level::Redis, "what just fits is taken");
    works(&redis, &a).await;
}

#[tokio::test]
async fn what_others_wrote_larger_than_the_local_copy_is_served_and_not_kept() {
    let Some(redis) = Redis::start().await else { return };
    let (small, wide) = (redis.session_client(1, &holding(10_000)), redis.session_client(2, &patient()));
    create(&small, "grows", "x", MINUTE).await;
    create(&small, "other", "x", MINUTE).await;
    for round in 0..5 {
        wide.client.create("grows", large(MIB), MINUTE).await.unwrap();
        wide.client.create(&format!("new{round}"), large(MIB), MINUTE).await.unwrap();
        assert_eq!(length(&small, "grows").await, Some(MIB));
        assert_eq!(length(&small, &format!("new{round}")).await, Some(MIB));
        assert!(small.client.stats().local_bytes <= 10_000, "{:?}", small.client.stats());
    }
    // What cannot be kept through an outage is not written from here either, and is not told to be gone.
    let most = 10_000;
    let bytes = (MIB + 256 + "grows".len()) as u64;
    let touched = small.client.touch("grows", 2 * MINUTE).await;
    assert_eq!(touched, Err(SessionError::TooLarge { bytes, most }));
    assert_eq!(small.client.update("grows", value("y")).await, Err(SessionError::TooLarge { bytes, most }));
    small.client.destroy("grows").await.unwrap();
    assert_eq!(length(&wide, "grows").await, None);
    assert!(small.client.stats().local_bytes <= 10_000, "{:?}", small.client.stats());
    assert_eq!(length(&small, "other").await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_values_at_once_keep_to_the_bound_and_are_refused_by_name_beyond_it() {
    let Some(mut redis) = Redis::start().await else { return };
    let settings = holding(16 * MIB as u64);
    let a = redis.session_client(1, &settings);
    create(&a, "first", "x", MINUTE).await;
    redis.kill();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let client = a.client.clone();
        tasks.spawn(async move { client.create(&format!("s{number}"), large(MIB), MINUTE).await });
    }
    let (mut taken, mut full) = (0, 0);
    for created in tasks.join_all().await {
        match created {
            Ok(ack) => {
                assert_eq!(ack.level, Level::Memory);
                taken += 1;
            }
            Err(error) => {
                assert_eq!(error, SessionError::Full);
                let text = "the local copy is full of sessions that wait for redis: raise local.bytes or local.sessions";
                assert_eq!(error.to_string(), text);
                full += 1;
            }
        }
        assert!(a.client.stats().local_bytes <= settings.local.bytes, "{:?}", a.client.stats());
    }
    assert_eq!((taken, full), (15, 49));
    redis.start_again().await;
    a.clean().await;
    works(&redis, &a).await;
}

#[tokio::test]
async fn ten_thousand_sessions_users_and_keys_at_once_have_their_answers() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &patient());
    let cache = Cache::over(told.client.clone());
    let keys: Vec<String> = (0..10_000).map(|number| format!("k{number}")).collect();
    let values: Vec<_> = keys.iter().map(|key| (key.as_str(), value("x"))).collect();
    assert!(cache.set_many(&values, MINUTE).await.iter().all(Result::is_ok));
    let asked: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert!(cache.get_many(&asked).await.into_iter().all(|found| found == Ok(Some(value("x")))));
    assert_eq!(told.client.count().await, Ok(10_000));
    let store: squall_client::SessionStore<u8> = squall_client::SessionStore::over(told.client.clone());
    for number in 0..100 {
        let user = format!("user{number}");
        store.create(&format!("of{number}"), Some(&user), &0, MINUTE).await.unwrap();
        store.create(&format!("hers{number}"), Some("alice"), &0, MINUTE).await.unwrap();
    }
    assert_eq!(store.of_user("alice").await.unwrap().len(), 100);
    eventually("all are counted", || async {
        store.statistics().await.is_ok_and(|statistics| statistics.active_users == 101)
    })
    .await;
    assert_eq!(cache.clear("k12*").await.map(|cleared| cleared.count), Ok(111));
}

#[tokio::test]
async fn large_replies_whose_callers_went_away_end_no_connection() {
    let Some(redis) = Redis::start().await else { return };
    let mut settings = holding(16 * MIB as u64);
    settings.pool.connections = 1;
    let a = redis.session_client(1, &settings);
    a.client.create("s", large(MIB), MINUTE).await.unwrap();
    assert_eq!(length(&a, "s").await, Some(MIB));
    let opened = || async {
        let stats: String = redis.ask(&["INFO", "stats"]).await;
        let figure = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        figure.expect("it is there").parse::<u64>().expect("a number")
    };
    let (asked, before) = (redis.calls("get").await, opened().await);
    redis.pause();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..150 {
        let client = a.client.clone();
        asking.spawn(async move { client.get("s").await.map(|_| ()) });
    }
    // Until all are sent: that no answer comes is sure.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    asking.shutdown().await;
    redis.go_on();
    let mut looks = 0;
    while redis.calls("get").await < asked + 150 {
        looks += 1;
        assert!(looks < 1000, "not all were sent");
    }
    assert_eq!(length(&a, "s").await, Some(MIB));
    // Each look of this test is a connection too.
    assert_eq!(opened().await - before, looks + 2, "the client has opened none");
    assert_eq!(a.count(|event| matches!(event, Event::Failed { .. })), 0);
}

//! How long something may live.

use std::time::Duration;

use squall_client::{Cache, LoadError, SessionError, SessionStore, Settings};

use crate::redis::{MINUTE, Redis, create, eventually, fresh, read, value};
use crate::support::{calm, works};

const WHY: &str = "the TTL must be from 1 ms to 100 years";
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// TTLs that are none.
fn bad() -> [Duration; 7] {
    let past = CENTURY + Duration::from_nanos(1);
    let redis_cannot = Duration::from_millis(u64::MAX / 1000);
    [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_micros(999),
        past,
        redis_cannot,
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ]
}

#[tokio::test]
async fn a_time_to_live_that_is_none_is_refused_everywhere_and_changes_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &calm());
    let cache = Cache::over(told.client.clone());
    let store: SessionStore<u8> = SessionStore::over(told.client.clone());
    create(&told, "s", "x", MINUTE).await;
    for ttl in bad() {
        for answer in [
            told.client.create("s", value("y"), ttl).await.map(|_| ()),
            told.client.touch("s", ttl).await.map(|_| ()),
            cache.set("s", value("y"), ttl).await.map(|_| ()),
            cache.add("counter", 1, Some(ttl)).await.map(|_| ()),
            store.create("s", None, &7, ttl).await.map(|_| ()),
            store.extend("s", ttl).await.map(|_| ()),
            store.open("new", None, ttl).await.map(|_| ()),
        ] {
            assert_eq!(answer, Err(SessionError::Invalid(WHY)), "{ttl:?}");
        }
        let loaded = cache.get_or_set("k", ttl, async { panic!("nothing is to be loaded") }).await;
        assert!(matches!(loaded, Err(LoadError::Cache(SessionError::Invalid(WHY)))), "{ttl:?}");
        let many = cache.set_many(&[("k", value("y"))], ttl).await;
        assert_eq!(many, [Err(SessionError::Invalid(WHY))], "{ttl:?}");
    }
    assert_eq!(read(&told, "s").await.as_deref(), Some("x"));
    assert_eq!(redis.ask::<i64>(&["EXISTS", "session:counter", "session:k", "session:new"]).await, 0);
    works(&redis, &told).await;
}

#[tokio::test]
async fn the_shortest_and_the_longest_time_to_live_are_kept() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &calm());
    let cache = Cache::over(told.client.clone());
    create(&told, "century", "x", CENTURY).await;
    cache.add("counter", 1, Some(CENTURY)).await.unwrap();
    let century = i64::try_from(CENTURY.as_millis()).unwrap();
    for key in ["session:century", "session:counter"] {
        let left: i64 = redis.ask(&["PTTL", key]).await;
        assert!((century - 60_000..=century).contains(&left), "{key}: {left}");
    }
    assert_eq!(fresh(&redis, "century").await.as_deref(), Some("x"));
    told.client.create("moment", value("x"), Duration::from_millis(1)).await.unwrap();
    eventually("it is over", || async { read(&told, "moment").await.is_none() }).await;
}

#[tokio::test]
async fn a_session_that_was_to_live_longer_than_tombstones_do_stays_destroyed() {
    let Some(redis) = Redis::start().await else { return };
    let mut settings: Settings = calm();
    settings.resync.tombstone_ttl = Duration::from_secs(1);
    let (a, b) = (redis.session_client(1, &settings), redis.session_client(2, &settings));
    create(&a, "s", "x", 60 * MINUTE).await;
    assert_eq!(read(&b, "s").await.as_deref(), Some("x"));
    a.client.destroy("s").await.unwrap();
    let left: i64 = redis.ask(&["PTTL", "{session:s}:tomb"]).await;
    assert!(left > 3_500_000, "the tombstone lives as long as any copy may believe in the session: {left}");
    assert_eq!(read(&b, "s").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_session_that_ends_while_another_instance_looks_for_it_is_gone_and_no_other_error() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (redis.session_client(1, &calm()), redis.session_client(2, &calm()));
    let mut writing = tokio::task::JoinSet::new();
    for n in 0..4_000 {
        let (a, b, id) = (a.client.clone(), b.client.clone(), format!("s{n}"));
        if writing.len() >= 32 {
            writing.join_next().await.unwrap().unwrap();
        }
        writing.spawn(async move {
            a.create(&id, value("x"), Duration::from_millis(1 + n % 3)).await.unwrap();
            let error = loop {
                if let Err(error) = b.update(&id, value("y")).await {
                    break error;
                }
            };
            assert_eq!(error, SessionError::NoSession, "{id}");
        });
    }
    writing.join_all().await;
}

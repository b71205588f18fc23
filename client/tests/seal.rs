//! Encrypted values against a real redis-server: what lies in Redis and on disk, through outages and restarts, and what keys that
//! lack, are others, or come anew do.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{MINUTE, Redis, Told, eventually, free_port, quick};
use squall_client::core::encoding::{decode_record, encode_record};
use squall_client::core::record::Value;
use squall_client::seal::OVERHEAD;
use squall_client::{
    Cache, Endpoint, Environment, Event, Level, Lookup, Opened, Seal, SealError, SessionError, SessionStore,
    Settings, Tcp,
};

const SECRET: &str = "the number of her card is 4711";
const ONE: [u8; 32] = [1; 32];
const TWO: [u8; 32] = [2; 32];

/// A client with these keys.
fn client(redis: &Redis, writer: u32, seal: Option<Seal>) -> Told {
    redis::told_in(endpoint(redis.port), &quick(), Environment { seal, ..Environment::new(writer) })
}

fn endpoint(port: u16) -> Endpoint {
    let keepalive = Settings::default().keepalive;
    Endpoint::new(Arc::new(Tcp { host: "127.0.0.1".to_owned(), port, keepalive }))
}

fn one() -> Option<Seal> {
    Some(Seal::new(1, &ONE))
}

async fn create(told: &Told, id: &str) {
    told.client.create(id, SECRET.into(), MINUTE).await.expect("a session can be created");
}

/// What a read brings: the value, or why not.
async fn get(told: &Told, id: &str) -> Result<String, SessionError> {
    match told.client.get(id).await? {
        Lookup::Found { session, .. } => Ok(String::from_utf8_lossy(&session.value).into_owned()),
        other => panic!("{id}: {other:?}"),
    }
}

fn sealed(error: SealError) -> Result<String, SessionError> {
    Err(SessionError::Sealed(error))
}

fn shows(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

/// All bytes that Redis holds, under whatever key, of whatever kind.
async fn all(redis: &Redis) -> Vec<u8> {
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]).await;
    assert!(!keys.is_empty());
    let mut all = Vec::new();
    for key in keys {
        let kind: String = redis.ask(&["TYPE", &key]).await;
        let held: Vec<Vec<u8>> = match kind.as_str() {
            "string" => vec![redis.ask(&["GET", &key]).await],
            "zset" => redis.ask(&["ZRANGE", &key, "0", "-1"]).await,
            "hash" => redis.ask(&["HGETALL", &key]).await,
            other => panic!("{key} is a {other}"),
        };
        all.extend_from_slice(key.as_bytes());
        held.iter().for_each(|bytes| all.extend_from_slice(bytes));
    }
    all
}

/// Changes the value that Redis holds of a session, as somebody would who knows how records are made.
async fn tamper(redis: &Redis, id: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let key = format!("session:{id}");
    let stored: Vec<u8> = redis.ask(&["GET", &key]).await;
    let mut record = decode_record(id, &Bytes::from(stored)).expect("a record");
    let mut payload = record.value.payload.to_vec();
    change(&mut payload);
    record.value = Value { payload: payload.into(), ..record.value };
    let mut side = redis.side().await;
    let mut set = ::redis::cmd("SET");
    let set = set.arg(&key).arg(&encode_record(id, &record)[..]).arg("KEEPTTL");
    set.query_async::<()>(&mut side).await.expect("SET");
}

fn told_damage(told: &Told) -> (u64, usize) {
    (told.client.stats().damaged, told.count(|event| matches!(event, Event::Corrupt { .. })))
}

#[tokio::test]
async fn what_lies_in_redis_shows_no_value_however_it_was_written() {
    let Some(redis) = Redis::start().await else { return };
    let told = client(&redis, 1, one());
    create(&told, "created").await;
    told.client.create("updated", "x".into(), MINUTE).await.unwrap();
    told.client.update("updated", SECRET.into()).await.unwrap();
    let store: SessionStore<String> = SessionStore::over(told.client.clone());
    store.create("typed", Some("alice"), &SECRET.to_owned(), MINUTE).await.unwrap();
    store.change("typed", |session| session.data.push('!')).await.unwrap();
    let cache = Cache::over(told.client.clone());
    cache.set("cached", SECRET.into(), MINUTE).await.unwrap();
    let loaded = cache.get_or_set("loaded", MINUTE, async { Ok(Bytes::from_static(SECRET.as_bytes())) });
    assert_eq!(loaded.await.unwrap(), SECRET);
    assert!(!shows(&all(&redis).await));
    for id in ["created", "updated", "cached", "loaded"] {
        assert_eq!(get(&told, id).await.unwrap(), SECRET, "{id}");
    }
    let other = client(&redis, 2, one());
    assert_eq!(get(&other, "created").await.unwrap(), SECRET, "another instance with the key reads it");
    let found = SessionStore::<String>::over(other.client.clone()).of_user("alice").await.unwrap();
    assert_eq!(found[0].data, format!("{SECRET}!"));
    let length: usize = redis.ask(&["STRLEN", "session:created"]).await;
    assert_eq!(length, 100 + SECRET.len() + OVERHEAD);
    assert_eq!(OVERHEAD, 36);
    create(&client(&redis, 3, None), "plain").await;
    assert!(shows(&all(&redis).await), "without keys this would have found it");
}

#[tokio::test]
async fn an_outage_and_the_resync_after_it_show_nothing_either() {
    let Some(mut redis) = Redis::start().await else { return };
    let told = client(&redis, 1, one());
    let store: SessionStore<String> = SessionStore::over(told.client.clone());
    create(&told, "before").await;
    store.create("typed", Some("alice"), &SECRET.to_owned(), MINUTE).await.unwrap();
    redis.kill();
    create(&told, "during").await;
    for id in ["before", "during"] {
        assert_eq!(get(&told, id).await.unwrap(), SECRET, "{id}");
    }
    assert_eq!(store.of_user("alice").await.unwrap()[0].data, SECRET, "the local copy says whose it is");
    redis.start_again().await;
    told.clean().await;
    assert!(!shows(&all(&redis).await));
    let other = client(&redis, 2, one());
    for id in ["before", "during"] {
        assert_eq!(get(&other, id).await.unwrap(), SECRET, "{id}");
    }
    let others: SessionStore<String> = SessionStore::over(other.client.clone());
    eventually("the index is whole again", || async { others.of_user("alice").await.unwrap().len() == 1 })
        .await;
    assert_eq!((told_damage(&told), told_damage(&other)), ((0, 0), (0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_on_disk_shows_nothing_and_opens_after_a_restart_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let away = |seal, file: &Path, port| {
        let environment = Environment { disk: Some(file.to_owned()), seal, ..Environment::new(1) };
        redis::told_in(endpoint(port), &Settings::default(), environment)
    };
    for (seal, shown) in [(one(), false), (None, true)] {
        let file = folder.path().join(format!("{shown}"));
        let told = away(seal, &file, free_port());
        assert_eq!(told.client.create("s", SECRET.into(), MINUTE).await.unwrap().level, Level::Disk);
        told.client.shutdown().await;
        assert_eq!(shows(&std::fs::read(&file).unwrap()), shown);
    }
    let file = folder.path().join("false");
    let without = away(None, &file, free_port());
    assert_eq!(get(&without, "s").await, sealed(SealError::NoKey(1)));
    without.client.shutdown().await;
    let Some(redis) = Redis::start().await else { return };
    let again = away(one(), &file, redis.port);
    again.clean().await;
    assert!(!shows(&all(&redis).await));
    assert_eq!(get(&again, "s").await.unwrap(), SECRET);
    assert_eq!(get(&client(&redis, 2, one()), "s").await.unwrap(), SECRET);
    again.client.shutdown().await;
}

#[tokio::test]
async fn a_key_is_replaced_in_three_steps_while_two_instances_serve() {
    let Some(redis) = Redis::start().await else { return };
    let keys = |first, second| {
        let key = |number| if number == 1 { ONE } else { TWO };
        Some(Seal::new(first, &key(first)).and_key(second, &key(second)))
    };
    create(&client(&redis, 1, one()), "old").await;
    // Each reads the new key before any writes with it, and then all write with it: one after the other.
    let steps =
        [(one(), keys(1, 2)), (keys(1, 2), keys(1, 2)), (keys(1, 2), keys(2, 1)), (keys(2, 1), keys(2, 1))];
    for (step, (a, b)) in (0..).zip(steps) {
        let (a, b) = (client(&redis, 10 + step, a), client(&redis, 20 + step, b));
        for (from, to, id) in [(&a, &b, format!("a{step}")), (&b, &a, format!("b{step}"))] {
            create(from, &id).await;
            assert_eq!(get(to, &id).await.unwrap(), SECRET, "step {step}");
        }
        assert_eq!(get(&a, "old").await.unwrap(), SECRET, "step {step}");
    }
    let done = client(&redis, 30, Some(Seal::new(2, &TWO)));
    assert_eq!(get(&done, "b3").await.unwrap(), SECRET);
    assert_eq!(get(&done, "old").await, sealed(SealError::NoKey(1)), "the key went before the session did");
    assert_eq!(get(&client(&redis, 31, keys(2, 1)), "old").await.unwrap(), SECRET, "and it is as it was");
}

#[tokio::test]
async fn an_instance_with_a_wrong_key_or_none_says_so_and_resets_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let right = client(&redis, 1, one());
    let store: SessionStore<String> = SessionStore::over(right.client.clone());
    store.create("s", None, &SECRET.to_owned(), MINUTE).await.unwrap();
    let wrong = [
        (Some(Seal::new(1, &TWO)), SealError::OtherKey(1)),
        (Some(Seal::new(2, &TWO)), SealError::NoKey(1)),
        (None, SealError::NoKey(1)),
    ];
    for (writer, (seal, error)) in (2..).zip(wrong) {
        let told = client(&redis, writer, seal);
        assert_eq!(get(&told, "s").await, sealed(error));
        assert_eq!(told_damage(&told), (1, 1), "counted and told once: {error}");
        let blind: SessionStore<String> = SessionStore::over(told.client.clone());
        let opened = blind.open("s", None, MINUTE).await.map(|(_, opened)| opened);
        assert_eq!(opened, Err(SessionError::Sealed(error)));
        assert_eq!(Cache::over(told.client.clone()).get("s").await, Ok(None), "a cache takes it for a miss");
        let text = format!("{} {error:?}", SessionError::Sealed(error));
        assert!(!text.contains("4711"), "{text}");
    }
    let (session, opened) = store.open("s", None, MINUTE).await.unwrap();
    assert_eq!((session.data.as_str(), opened), (SECRET, Opened::Found));
    let forged = client(&redis, 9, None).client.create("t", Bytes::from_static(b"\xf5se1"), MINUTE).await;
    assert!(matches!(forged, Err(SessionError::Invalid(_))), "what could never be read is not taken");
}

#[tokio::test]
async fn a_value_that_was_changed_or_moved_is_damaged_is_kept_aside_and_the_session_begins_anew() {
    let Some(redis) = Redis::start().await else { return };
    let writer = client(&redis, 1, one());
    let written: SessionStore<String> = SessionStore::over(writer.client.clone());
    for id in ["changed", "victim", "source"] {
        written.create(id, None, &SECRET.to_owned(), MINUTE).await.unwrap();
    }
    tamper(&redis, "changed", |payload| *payload.last_mut().expect("a byte") ^= 1).await;
    let source: Vec<u8> = redis.ask(&["GET", "session:source"]).await;
    tamper(&redis, "victim", |payload| *payload = source[100..].to_vec()).await;
    for (number, id) in (2..).zip(["changed", "victim"]) {
        let told = client(&redis, number, one());
        let store: SessionStore<String> = SessionStore::over(told.client.clone());
        assert_eq!(store.get(id).await.map(drop), Err(SessionError::Sealed(SealError::Broken(1))), "{id}");
        assert_eq!(told_damage(&told), (1, 1), "{id}");
        let damaged: Vec<u8> = redis.ask(&["GET", &format!("session:{id}")]).await;
        let (session, opened) = store.open(id, None, MINUTE).await.unwrap();
        assert_eq!((session.data.as_str(), opened), ("", Opened::Reset), "{id}");
        let aside: Vec<u8> = redis.ask(&["GET", &format!("{{session:{id}}}:aside")]).await;
        assert_eq!(aside, damaged, "{id}");
        assert_eq!(store.open(id, None, MINUTE).await.unwrap().1, Opened::Found, "{id}");
    }
    assert!(!shows(&all(&redis).await));
}

#[tokio::test]
async fn a_tenant_with_another_prefix_and_the_same_key_opens_nothing_that_is_moved_to_it() {
    let Some(redis) = Redis::start().await else { return };
    create(&client(&redis, 1, one()), "s").await;
    let _: i64 = redis.ask(&["COPY", "session:s", "tenant:s"]).await;
    let settings = Settings { key_prefix: "tenant:".to_owned(), ..quick() };
    let tenant =
        redis::told_in(endpoint(redis.port), &settings, Environment { seal: one(), ..Environment::new(2) });
    assert_eq!(get(&tenant, "s").await, sealed(SealError::Broken(1)));
}

#[tokio::test]
async fn values_from_before_are_read_where_that_is_allowed_and_are_encrypted_when_they_are_written() {
    let Some(redis) = Redis::start().await else { return };
    create(&client(&redis, 1, None), "s").await;
    let strict = client(&redis, 2, one());
    assert_eq!(get(&strict, "s").await, sealed(SealError::Plain));
    assert_eq!(told_damage(&strict), (1, 1));
    let lenient = client(&redis, 3, Some(Seal::new(1, &ONE).and_plain()));
    assert_eq!(get(&lenient, "s").await.unwrap(), SECRET);
    lenient.client.touch("s", 2 * MINUTE).await.unwrap();
    assert!(shows(&all(&redis).await), "an extension leaves the value as it is");
    lenient.client.update("s", SECRET.into()).await.unwrap();
    assert!(!shows(&all(&redis).await));
    assert_eq!(get(&strict, "s").await.unwrap(), SECRET);
    let left: i64 = redis.ask(&["PTTL", "session:s"]).await;
    assert!(Duration::from_millis(left.unsigned_abs()) > MINUTE, "{left}");
}

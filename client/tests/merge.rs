//! The merge script against a real redis-server: what it makes of random facts must be what the record's own merge makes of
//! them, in whatever order and however often they come.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncTypedCommands as _, Script};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use squall_client::core::encoding::{
    decode_record, decode_tombstone, encode_record, encode_tombstone, id_check,
};
use squall_client::core::record::{Expiry, Life, Record, Value};
use squall_client::core::version::Version;

const TOMBSTONE_TTL_MS: u64 = 60_000;

/// A redis-server, and the script in it.
struct Merge {
    server: MultiplexedConnection,
    script: Script,
}

/// What the script answered.
#[derive(Debug)]
struct Answer {
    fate: String,
    known: Record,
    wrote: bool,
}

impl Merge {
    async fn new(redis: &redis::Redis) -> Self {
        let script = Script::new(include_str!("../src/core/merge.lua"));
        Self { server: redis.side().await, script }
    }

    async fn merge(&mut self, record: &Record, latest_expiry: u64, damaged: &[u8]) -> Answer {
        let whole = record.value.version != Version::NEVER;
        let sent = if whole { encode_record("s", record) } else { Bytes::new() };
        let beside =
            Record { expiry: if whole { Expiry::default() } else { record.expiry }, ..record.clone() };
        let mut invocation = self.script.key("session:s");
        invocation.key("{session:s}:tomb").arg(&sent[..]).arg(&encode_tombstone("s", &beside)[..]);
        invocation.arg(latest_expiry).arg(TOMBSTONE_TTL_MS).arg(damaged).arg(id_check("s"));
        let (_, fate, stored, tombstone, wrote, _): (String, String, Vec<u8>, Vec<u8>, u8, u8) =
            invocation.invoke_async(&mut self.server).await.expect("the script runs");
        let mut known = match &stored[..] {
            b"" => Record::default(),
            b"=" => Record { destruction: Version::NEVER, ..record.clone() },
            _ => decode_record("s", &Bytes::from(stored)).expect("a whole record"),
        };
        if !tombstone.is_empty() {
            known.merge(&decode_tombstone("s", &Bytes::from(tombstone)).expect("a whole tombstone"));
        }
        Answer { fate, known, wrote: wrote != 0 }
    }

    async fn pttl(&mut self, key: &str) -> i64 {
        ::redis::cmd("PTTL").arg(key).query_async(&mut self.server).await.expect("PTTL")
    }

    async fn now(&mut self) -> u64 {
        let (s, us): (u64, u64) = ::redis::cmd("TIME").query_async(&mut self.server).await.expect("TIME");
        s * 1000 + us / 1000
    }

    async fn flush(&mut self) {
        self.server.flushall().await.expect("FLUSHALL");
    }
}

fn at(ms: u64, writer: u32) -> Version {
    Version::new(ms, 0, writer)
}

fn created(ms: u64, payload: &'static str, expires: u64) -> Record {
    let version = at(ms, 1);
    Record {
        creation: version,
        expiry: Expiry { version, unix_ms: expires },
        value: Value { version, payload: Bytes::from_static(payload.as_bytes()) },
        destruction: Version::NEVER,
    }
}

/// What different instances may know of one session: each of its facts in some version. One version has one content.
fn record(now: u64) -> impl Strategy<Value = Record> {
    let fact = || (3u64..7, 1u32..4).prop_map(|(ms, writer)| at(ms, writer));
    let destruction = prop_oneof![
        7 => Just(Version::NEVER),
        2 => Just(at(2, 1)),
        1 => fact().prop_map(|fact| at(fact.unix_ms() + 4, fact.writer())),
    ];
    (fact(), fact(), destruction).prop_map(move |(value, expiry, destruction)| {
        let expires = [now - 50_000, now + 50_000, now + 90_000][expiry.unix_ms() as usize % 3];
        Record {
            creation: at(3, 1),
            expiry: Expiry { version: expiry, unix_ms: expires + u64::from(expiry.writer()) },
            value: Value { version: value, payload: Bytes::from(value.to_string()) },
            destruction,
        }
    })
}

#[tokio::test]
async fn it_agrees_with_the_records_own_merge_in_any_order() {
    let Some(redis) = redis::Redis::start().await else { return };
    let mut merge = Merge::new(&redis).await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..400 {
        merge.flush().await;
        let now = merge.now().await;
        let sent = prop::collection::vec(record(now), 1..6).new_tree(&mut runner).expect("records").current();
        let mut oracle = Record::default();
        let mut answer = None;
        sent.iter().for_each(|record| oracle.merge(record));
        let latest = sent.iter().map(|record| record.expiry.unix_ms).max().unwrap_or_default();
        // Redis keeps no value of what is expired or destroyed when it comes; whoever has a newer one brings it again.
        for record in sent.iter().chain(&sent) {
            answer = Some(merge.merge(record, latest, b"").await);
        }
        let answer = answer.expect("at least one");
        match oracle.life(now) {
            Life::Alive => {
                assert_eq!(answer.fate, "alive", "{sent:#?}");
                let stored: Vec<u8> =
                    merge.server.get("session:s").await.expect("GET").expect("a value").into();
                let read = decode_record("s", &Bytes::from(stored)).expect("whole");
                assert_eq!((read.expiry, &read.creation), (oracle.expiry, &oracle.creation), "{sent:#?}");
                assert_eq!(read.value, oracle.value, "{sent:#?}");
                let left = merge.pttl("session:s").await;
                assert!((left - (oracle.expiry.unix_ms as i64 - now as i64)).abs() < 100, "{left}");
            }
            Life::Destroyed => {
                assert_eq!(answer.fate, "destroyed", "{sent:#?}");
                assert_eq!(answer.known.destruction, oracle.destruction);
                assert_eq!(merge.pttl("session:s").await, -2);
            }
            Life::Expired => {
                assert_eq!(answer.fate, "expired", "{sent:#?}");
                assert_eq!(merge.pttl("session:s").await, -2);
            }
            Life::Unknown => panic!("every record has a value"),
        }
        for record in &sent {
            let again = merge.merge(record, 0, b"").await;
            assert!(!again.wrote, "applied again it writes: {again:?} for {record:?} of {sent:#?}");
        }
    }
}

#[tokio::test]
async fn a_copy_that_missed_a_shorter_expiry_does_not_bring_the_session_back() {
    let Some(redis) = redis::Redis::start().await else { return };
    let mut merge = Merge::new(&redis).await;
    let now = merge.now().await;
    let old = created(1, "old", now + 60_000);
    assert_eq!(merge.merge(&old, now + 60_000, b"").await.fate, "alive");
    let mut touched = old.clone();
    touched.expiry = Expiry { version: at(2, 2), unix_ms: now + 300 };
    assert_eq!(merge.merge(&touched, now + 300, b"").await.fate, "alive");
    let side = redis.side().await;
    redis::eventually("it expires", || async { !side.clone().exists("session:s").await.expect("EXISTS") })
        .await;
    let mut updated = old.clone();
    updated.value = Value { version: at(3, 1), payload: Bytes::from_static(b"late") };
    let answer = merge.merge(&updated, now + 60_000, b"").await;
    assert_eq!((answer.fate.as_str(), answer.known.expiry), ("expired", touched.expiry));
    assert_eq!(merge.pttl("session:s").await, -2);
    let remembered = merge.pttl("{session:s}:tomb").await;
    assert!((59_000..=61_000).contains(&remembered), "{remembered}");
}

#[tokio::test]
async fn a_session_created_again_keeps_the_tombstone_of_the_one_before() {
    let Some(redis) = redis::Redis::start().await else { return };
    let mut merge = Merge::new(&redis).await;
    let now = merge.now().await;
    let gone = Record { destruction: at(5, 1), ..Record::default() };
    assert_eq!(merge.merge(&gone, 0, b"").await.fate, "destroyed");
    assert_eq!(merge.merge(&created(3, "old", now + 60_000), 0, b"").await.fate, "destroyed");
    let again = created(7, "new", now + 60_000);
    assert_eq!(merge.merge(&again, 0, b"").await.fate, "alive");
    ::redis::cmd("DEL").arg("session:s").query_async::<()>(&mut merge.server).await.expect("DEL");
    assert_eq!(merge.merge(&created(3, "old", now + 60_000), 0, b"").await.fate, "destroyed");
}

#[tokio::test]
async fn what_is_not_a_session_is_replaced_and_never_taken_for_one() {
    let Some(redis) = redis::Redis::start().await else { return };
    let mut merge = Merge::new(&redis).await;
    let now = merge.now().await;
    let mine = created(1, "mine", now + 60_000);
    let nothing = Record::default();
    for foreign in [&["SET", "session:s", "foreign"][..], &["HSET", "session:s", "field", "value"]] {
        redis.ask::<::redis::Value>(foreign).await;
        assert_eq!(merge.merge(&nothing, 0, b"").await.fate, "damaged");
        assert_eq!(merge.merge(&mine, 0, b"").await.fate, "alive");
        assert!(merge.pttl("session:s").await > 0);
        merge.flush().await;
    }
    // Whole to look at, but damaged, which only the client can tell.
    let mut damaged = encode_record("s", &created(9, "other", now + 60_000)).to_vec();
    *damaged.last_mut().expect("a byte") ^= 1;
    ::redis::cmd("SET")
        .arg("session:s")
        .arg(&damaged)
        .query_async::<()>(&mut merge.server)
        .await
        .expect("SET");
    let answer = merge.merge(&mine, 0, &damaged).await;
    assert_eq!((answer.fate.as_str(), answer.known.value.payload.as_ref()), ("alive", &b"mine"[..]));
}

#[tokio::test]
async fn a_full_redis_still_lets_go_of_destroyed_sessions() {
    let Some(redis) = redis::Redis::start().await else { return };
    let mut merge = Merge::new(&redis).await;
    let now = merge.now().await;
    let gone = Record { destruction: at(5, 1), ..Record::default() };
    for known_before in [true, false] {
        if known_before {
            assert_eq!(merge.merge(&created(1, "mine", now + 60_000), 0, b"").await.fate, "alive");
        }
        redis.ask::<::redis::Value>(&["CONFIG", "SET", "maxmemory", "1"]).await;
        assert_eq!(merge.merge(&gone, 0, b"").await.fate, "destroyed");
        assert!(merge.pttl("{session:s}:tomb").await > 0);
        redis.ask::<::redis::Value>(&["CONFIG", "SET", "maxmemory", "0"]).await;
        merge.flush().await;
    }
}

//! Backup and restore against real redis-servers: nothing is lost, nothing newer is written over, nothing that is gone comes back.

mod files;
#[expect(dead_code, reason = "each test file uses its part")]
#[path = "../redis/mod.rs"]
mod redis;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use redis::{MINUTE, Redis, Told, create, eventually, free_port, fresh, quick, read, value};
use squall_client::{
    BackedUp, BackupError, Endpoint, Environment, Event, RestoreError, RestoreProblem, Restored, Seal,
    Settings, Tcp,
};
use tokio::io::AsyncReadExt as _;

/// Settings for where Redis is never away, on a machine that may be busy.
fn calm() -> Settings {
    let mut settings =
        Settings { operation_timeout: Duration::from_secs(5), deadline: Duration::from_secs(10), ..quick() };
    settings.breaker.enabled = false;
    settings
}

async fn backup(told: &Told) -> (Vec<u8>, BackedUp) {
    let mut file = Vec::new();
    let done = told.client.backup(&mut file).await.expect("a backup");
    (file, done)
}

async fn restore(told: &Told, file: &[u8]) -> Restored {
    told.client.restore(file).await.expect("a backup that is whole")
}

async fn fails(told: &Told, file: &[u8]) -> RestoreError {
    told.client.restore(file).await.expect_err("it is not whole")
}

/// Everything that Redis holds, byte by byte, with when it expires.
async fn all(redis: &Redis, pattern: &str) -> BTreeMap<String, (Vec<u8>, i64)> {
    let keys: Vec<String> = redis.ask(&["KEYS", pattern]).await;
    let mut all = BTreeMap::new();
    for key in keys {
        let bytes: Vec<u8> = redis.ask(&["GET", &key]).await;
        let expires: i64 = redis.ask(&["PEXPIRETIME", &key]).await;
        all.insert(key, (bytes, expires));
    }
    all
}

#[tokio::test]
async fn every_session_comes_back_into_an_empty_redis_as_it_was() {
    let (Some(redis), Some(other)) = (Redis::start().await, Redis::start().await) else { return };
    let told = redis.session_client(1, &calm());
    for number in 0..1500 {
        create(&told, &format!("s{number}"), &format!("value {number}"), MINUTE).await;
    }
    for id in ["a b%20", "ünï", "{user}:x", "line\nend", "-"] {
        create(&told, id, id, 2 * MINUTE).await;
    }
    told.client.create("bytes", bytes::Bytes::from_iter(0..=255), MINUTE).await.unwrap();
    told.client.destroy("s7").await.unwrap();
    let _: () = redis.ask(&["SET", "session:counter", "17"]).await;
    let _: () = redis.ask(&["SET", "other:s1", "not ours"]).await;
    // One that knows nothing but what Redis tells it.
    let taker = redis.session_client(2, &calm());
    let (file, done) = backup(&taker).await;
    assert_eq!(done, BackedUp { sessions: 1505, damaged: 0, foreign: 1 });
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 1 + 1505 + 1 + 1);
    assert!(lines[0].starts_with(b"squall-backup 1 session: ") && lines[1506].starts_with(b"end 1505 "));
    let restorer = other.session_client(3, &calm());
    assert_eq!(restore(&restorer, &file).await, Restored { written: 1505, ..Restored::default() });
    let mut expected = all(&redis, "session:*").await;
    expected.remove("session:counter");
    assert_eq!(all(&other, "session:*").await, expected);
    assert_eq!(fresh(&other, "line\nend").await.as_deref(), Some("line\nend"));
    assert_eq!(fresh(&other, "s7").await, None);
    for told in [&taker, &restorer] {
        assert_eq!(told.client.stats().local_sessions, 0, "the local copy is for what is used");
    }
}

#[tokio::test]
async fn doing_it_twice_changes_nothing() {
    let (Some(redis), Some(other)) = (Redis::start().await, Redis::start().await) else { return };
    let told = redis.session_client(1, &calm());
    for number in 0..100 {
        create(&told, &format!("s{number}"), "x", MINUTE).await;
    }
    let (file, _) = backup(&told).await;
    let known = Restored { known: 100, ..Restored::default() };
    assert_eq!(restore(&told, &file).await, known, "into the Redis that it is of");
    let restorer = other.session_client(2, &calm());
    restore(&restorer, &file).await;
    let once = all(&other, "*").await;
    assert_eq!(restore(&restorer, &file).await, known);
    assert_eq!(all(&other, "*").await, once);
}

#[tokio::test]
async fn what_is_newer_stays_and_what_is_gone_stays_gone() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &calm());
    for id in ["updated", "extended", "shortened", "destroyed", "again", "evicted", "over"] {
        create(&told, id, "old", MINUTE).await;
    }
    create(&told, "short", "old", Duration::from_millis(100)).await;
    let (file, done) = backup(&told).await;
    assert_eq!(done.sessions, 8);
    told.client.update("updated", value("new")).await.unwrap();
    told.client.touch("extended", 10 * MINUTE).await.unwrap();
    told.client.touch("shortened", MINUTE / 2).await.unwrap();
    told.client.touch("over", Duration::from_millis(1)).await.unwrap();
    for id in ["destroyed", "again"] {
        told.client.destroy(id).await.unwrap();
    }
    create(&told, "again", "new", MINUTE).await;
    let _: i64 = redis.ask(&["DEL", "session:evicted"]).await;
    eventually("the short ones are over", || async {
        redis.ask::<i64>(&["EXISTS", "session:short", "session:over"]).await == 0
    })
    .await;
    let before = all(&redis, "session:*").await;
    // By one who knows nothing of all that.
    let restored = restore(&redis.session_client(2, &calm()), &file).await;
    let expected = Restored { written: 1, known: 4, destroyed: 1, expired: 2, ..Restored::default() };
    assert_eq!(restored, expected);
    let mut after = all(&redis, "session:*").await;
    assert!(after.remove("session:evicted").is_some());
    assert_eq!(after, before);
    for (id, expected) in
        [("updated", Some("new")), ("again", Some("new")), ("destroyed", None), ("over", None)]
    {
        assert_eq!(fresh(&redis, id).await.as_deref(), expected, "{id}");
    }
}

/// Whatever happened since, by two instances that read before they write: Redis knows of it all, and no backup knows better.
#[tokio::test]
async fn no_backup_changes_anything_in_a_redis_that_has_lived_on() {
    let Some(redis) = Redis::start().await else { return };
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let instances = [redis.session_client(1, &calm()), redis.session_client(2, &calm())];
    let restorer = redis.session_client(3, &calm());
    let (mut kept, mut gone) = (0, 0);
    for round in 0..30 {
        let mut backups = Vec::new();
        for _ in 0..30 {
            let (client, id) = (&instances[random.random_range(0..2)].client, random.random_range(0..4));
            let id = format!("{round}-{id}");
            let ttl = Duration::from_millis([2, 600_000, 1_200_000, 3_600_000][random.random_range(0..4)]);
            client.get(&id).await.expect("an answer");
            // What is not there cannot be changed.
            let _accepted = match random.random_range(0..6) {
                0 => client.create(&id, value(&random.random_range(0..9).to_string()), ttl).await.map(drop),
                1 => client.update(&id, value(&random.random_range(0..9).to_string())).await.map(drop),
                2 | 3 => client.touch(&id, ttl).await.map(drop),
                4 => client.destroy(&id).await.map(drop),
                _ => {
                    backups.push(backup(&restorer).await.0);
                    Ok(())
                }
            };
        }
        // What was to live for two milliseconds is over.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let before = all(&redis, "session:*").await;
        for _ in 0..backups.len() {
            let file = &backups[random.random_range(0..backups.len())];
            let Restored { written, known, destroyed, expired, .. } = restore(&restorer, file).await;
            assert_eq!(written, 0, "round {round}");
            (kept, gone) = (kept + known, gone + destroyed + expired);
        }
        assert_eq!(all(&redis, "session:*").await, before, "round {round}");
    }
    assert!(kept > 50 && gone > 10, "{kept} {gone}");
}

#[tokio::test]
async fn an_update_since_and_an_extension_in_the_backup_both_stand() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (redis.session_client(1, &calm()), redis.session_client(2, &calm()));
    create(&a, "s", "old", MINUTE).await;
    let (first, _) = backup(&a).await;
    a.client.touch("s", 10 * MINUTE).await.unwrap();
    let (extended, _) = backup(&a).await;
    let _: () = redis.ask(&["FLUSHALL"]).await;
    restore(&b, &first).await;
    b.client.update("s", value("new")).await.unwrap();
    assert_eq!(restore(&b, &extended).await.written, 1);
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("new"));
    let left: i64 = redis.ask(&["PTTL", "session:s"]).await;
    assert!(left > 9 * 60_000, "{left}");
}

#[tokio::test]
async fn a_destruction_that_an_instance_remembers_outlives_the_loss_of_redis_and_the_restore() {
    let Some(mut redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &quick());
    create(&told, "s", "x", MINUTE).await;
    let (file, _) = backup(&told).await;
    told.client.destroy("s").await.unwrap();
    redis.kill();
    redis.start_again().await;
    eventually("it is told", || async { redis.ask::<i64>(&["EXISTS", "{session:s}:tomb"]).await == 1 }).await;
    let restored = restore(&redis.session_client(2, &quick()), &file).await;
    assert_eq!(restored, Restored { destroyed: 1, ..Restored::default() });
    assert_eq!(read(&told, "s").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_while_others_write_has_each_session_as_it_was_at_one_moment() {
    let (Some(redis), Some(other)) = (Redis::start().await, Redis::start().await) else { return };
    let told = Arc::new(redis.session_client(1, &calm()));
    for number in 0..300 {
        create(&told, &format!("s{number}"), "0", MINUTE).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (told, done) = (Arc::clone(&told), Arc::clone(&done));
            tokio::spawn(async move {
                let mut round = 0;
                while !done.load(Ordering::Relaxed) {
                    round += 1;
                    for number in (0..300).filter(|number| number % 4 == writer) {
                        let text = value(&round.to_string());
                        told.client.update(&format!("s{number}"), text).await.expect("an update");
                    }
                }
                round
            })
        })
        .collect();
    eventually("they write", || async { fresh(&redis, "s299").await.is_some_and(|value| value != "0") })
        .await;
    let taker = redis.session_client(2, &calm());
    let (before, (file, backed_up), after) =
        (numbers(&taker).await, backup(&taker).await, numbers(&taker).await);
    done.store(true, Ordering::Relaxed);
    let mut rounds = 0;
    for writer in writers {
        rounds += writer.await.expect("it ends");
    }
    assert!(rounds > 4 && backed_up.sessions >= 300, "{rounds} {backed_up:?}");
    let restorer = other.session_client(3, &calm());
    assert_eq!(restore(&restorer, &file).await.damaged, 0);
    let restored = numbers(&restorer).await;
    for (id, number) in &restored {
        assert!((before[id]..=after[id]).contains(number), "{id}: {} {number} {}", before[id], after[id]);
    }
    assert_eq!(restored.len(), 300);
}

/// The number in each of the sessions.
async fn numbers(told: &Told) -> BTreeMap<String, u64> {
    let mut numbers = BTreeMap::new();
    for number in 0..300 {
        let id = format!("s{number}");
        let value = read(told, &id).await.expect("it lives");
        numbers.insert(id, value.parse().expect("a number"));
    }
    numbers
}

#[tokio::test]
async fn what_is_damaged_in_redis_is_replaced_by_a_restore_and_what_is_not_ours_stays() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &quick());
    for id in ["whole", "changed", "foreign"] {
        create(&told, id, "x", MINUTE).await;
    }
    let (file, _) = backup(&told).await;
    let _: i64 = redis.ask(&["SETRANGE", "session:changed", "100", "y"]).await;
    let _: () = redis.ask(&["SET", "session:foreign", "not ours"]).await;
    let taker = redis.session_client(2, &quick());
    let (_, done) = backup(&taker).await;
    assert_eq!(done, BackedUp { sessions: 1, damaged: 1, foreign: 1 });
    assert_eq!(taker.count(|event| matches!(event, Event::Corrupt { .. })), 1);
    assert_eq!(
        restore(&taker, &file).await,
        Restored { written: 1, known: 1, foreign: 1, ..Restored::default() }
    );
    for id in ["whole", "changed"] {
        assert_eq!(fresh(&redis, id).await.as_deref(), Some("x"), "{id}");
    }
    assert_eq!(redis.ask::<String>(&["GET", "session:foreign"]).await, "not ours");
}

#[tokio::test]
async fn a_redis_that_is_away_or_forgets_meanwhile_gives_no_backup_that_looks_whole() {
    let Some(mut redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &quick());
    for number in 0..200 {
        create(&told, &format!("s{number}"), "x", MINUTE).await;
    }
    let (whole, _) = backup(&told).await;
    // It stands still after the first lines, until they are read.
    let (to, mut from) = tokio::io::duplex(1000);
    let taker = redis.session_client(2, &quick());
    let client = taker.client.clone();
    let taking = tokio::spawn(async move { client.backup(to).await });
    let mut file = vec![0; 100];
    from.read_exact(&mut file).await.unwrap();
    let _: () = redis.ask(&["FLUSHALL"]).await;
    from.read_to_end(&mut file).await.unwrap();
    let error = taking.await.unwrap().expect_err("it forgot");
    assert!(matches!(error, BackupError::OtherRedis), "{error}");
    assert!(matches!(fails(&taker, &file).await.why, RestoreProblem::CutOff));
    redis.kill();
    assert!(matches!(taker.client.backup(&mut Vec::new()).await, Err(BackupError::Call(_))));
    let error = fails(&taker, &whole).await;
    assert!(matches!(error.why, RestoreProblem::Call(_)) && error.line >= 2, "{error}");
    redis.start_again().await;
    eventually("redis is used again", || async { taker.client.restore(&whole[..]).await.is_ok() }).await;
    assert_eq!(fresh(&redis, "s199").await.as_deref(), Some("x"));
}

#[tokio::test]
async fn encrypted_values_stay_encrypted_and_are_backed_up_without_their_keys() {
    const SECRET: &str = "the number of her card is 4711";
    let (Some(redis), Some(other)) = (Redis::start().await, Redis::start().await) else { return };
    let with_keys = |redis: &Redis| {
        let keepalive = Settings::default().keepalive;
        let tcp = Tcp { host: "127.0.0.1".to_owned(), port: redis.port, keepalive };
        let environment = Environment { seal: Some(Seal::new(1, &[1; 32])), ..Environment::new(1) };
        redis::told_in(Endpoint::new(Arc::new(tcp)), &quick(), environment)
    };
    create(&with_keys(&redis), "s", SECRET, MINUTE).await;
    let (file, done) = backup(&redis.session_client(2, &quick())).await;
    assert_eq!(done.sessions, 1);
    let restored = restore(&other.session_client(3, &quick()), &file).await;
    assert_eq!(restored.written, 1);
    let (here, there) = (all(&redis, "session:*").await, all(&other, "session:*").await);
    assert_eq!(here, there);
    assert!(!String::from_utf8_lossy(&there["session:s"].0).contains("4711"));
    assert_eq!(read(&with_keys(&other), "s").await.as_deref(), Some(SECRET));
}

#[tokio::test]
async fn without_a_redis_there_is_neither_backup_nor_restore() {
    let keepalive = Settings::default().keepalive;
    let tcp = Tcp { host: "127.0.0.1".to_owned(), port: free_port(), keepalive };
    let told = redis::told(Endpoint::new(Arc::new(tcp)), 1, &quick(), squall_client::Clock::system());
    let mut file = Vec::new();
    assert!(matches!(told.client.backup(&mut file).await, Err(BackupError::Call(_))));
    assert_eq!(file, b"");
}

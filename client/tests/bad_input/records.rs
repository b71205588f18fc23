//! A session's record, and its tombstone, with every byte changed and every length cut.

use squall_client::{Event, Level};

use crate::redis::{MINUTE, Redis, create, fresh, read, value};
use crate::support::{calm, damaged, said, works};

/// The bytes under a key.
async fn bytes(redis: &Redis, key: &str) -> Vec<u8> {
    redis.ask::<Vec<u8>>(&["GET", key]).await
}

/// Puts bytes under a key, and keeps its TTL.
async fn put(redis: &Redis, key: &str, bytes: &[u8]) {
    let mut set = ::redis::cmd("SET");
    set.arg(key).arg(bytes).arg("KEEPTTL");
    set.exec_async(&mut redis.side().await).await.expect("it is set");
}

/// All that can become of a text when one byte is changed, once or more for each byte, or what is behind one is lost.
fn spoiled(good: &[u8]) -> Vec<Vec<u8>> {
    let flipped = (0..good.len()).flat_map(|at| {
        // The last bit makes another digit of most digits; the others make what is none.
        [0x01, 0x80].map(|bits| {
            let mut bytes = good.to_vec();
            bytes[at] ^= bits;
            bytes
        })
    });
    let cut = (0..good.len()).map(|length| good[..length].to_vec());
    flipped.chain(cut).collect()
}

#[tokio::test]
async fn every_changed_byte_and_every_missing_one_of_a_record_is_told_and_never_served() {
    let Some(redis) = Redis::start().await else { return };
    let (owner, stranger) = (redis.session_client(1, &calm()), redis.session_client(2, &calm()));
    create(&owner, "s", "value", MINUTE).await;
    let good = bytes(&redis, "session:s").await;
    let bad = spoiled(&good);
    for (number, bad) in (1..).zip(&bad) {
        put(&redis, "session:s", bad).await;
        let text = said(stranger.client.get("s").await);
        assert!(text.starts_with("what redis holds is damaged or not ours: "), "{text}");
        assert_eq!(stranger.client.stats().damaged, number, "{bad:?}");
    }
    damaged(&stranger, bad.len() as u64);
    // Who knows the session brings it back.
    for bad in bad.iter().step_by(7) {
        put(&redis, "session:s", bad).await;
        assert_eq!(read(&owner, "s").await.as_deref(), Some("value"));
        assert_eq!(fresh(&redis, "s").await.as_deref(), Some("value"));
    }
    damaged(&owner, bad.len().div_ceil(7) as u64);
    works(&redis, &stranger).await;
}

#[tokio::test]
async fn a_session_lives_whatever_happens_to_its_tombstone() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &calm());
    let beside = "{session:s}:tomb";
    create(&a, "s", "before", MINUTE).await;
    a.client.destroy("s").await.unwrap();
    let good = bytes(&redis, beside).await;
    let bad = spoiled(&good);
    for (number, bad) in bad.iter().enumerate() {
        create(&a, "s", "again", MINUTE).await;
        put(&redis, beside, bad).await;
        let text = number.to_string();
        let ack = a.client.update("s", value(&text)).await;
        assert!(ack.is_ok(), "{ack:?} with {:?}", String::from_utf8_lossy(bad));
        assert_eq!(fresh(&redis, "s").await, Some(text), "{:?}", String::from_utf8_lossy(bad));
    }
    // What is damaged below a newer record changes nothing, and is not looked for.
    let told = a.client.stats().damaged;
    assert!(told > bad.len() as u64 / 4 && told <= bad.len() as u64, "{told} of {}", bad.len());
    damaged(&a, told);
    redis.ask::<()>(&["DEL", beside]).await;
    redis.ask::<i64>(&["RPUSH", beside, "no", "tombstone"]).await;
    a.client.destroy("s").await.unwrap();
    assert_eq!(fresh(&redis, "s").await, None);
    damaged(&a, told + 1);
}

#[tokio::test]
async fn a_session_does_not_end_by_an_expiry_that_was_changed() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &calm());
    let (expiry, mut past) = (30..68, 0);
    for at in expiry {
        for digit in *b"0f" {
            create(&a, "s", "before", MINUTE).await;
            let mut bad = bytes(&redis, "session:s").await;
            // Without one of these digits it was over long ago; the lower ones are less than a minute.
            let over = (54..62).contains(&at) && digit == b'0' && bad[at] != b'0';
            bad[at] = digit;
            put(&redis, "session:s", &bad).await;
            let (before, text) = (a.client.stats().damaged, format!("{at}{digit}"));
            let ack = a.client.update("s", value(&text)).await;
            assert_eq!(ack.map(|ack| ack.level), Ok(Level::Redis), "{at}");
            assert_eq!(fresh(&redis, "s").await, Some(text), "{at}");
            if over {
                assert_eq!(a.client.stats().damaged, before + 1, "it is told: {at}");
                past += 1;
            }
        }
    }
    assert!(past >= 3, "{past}");
    assert_eq!(a.count(|event| matches!(event, Event::Failed { .. })), 0, "redis was not at fault");
}

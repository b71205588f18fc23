//! Under the keys of sessions, counters and users there lies what does not belong there.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use squall_client::{Cache, CallError, Lookup, Opened, SessionError, SessionStore};

use crate::redis::{MINUTE, Redis, create, eventually, fresh, read, value};
use crate::support::{calm, damaged, said, works};

const OURS: &str = "what redis holds is damaged or not ours: ";
const NO_SESSION: &str = "it is no session, so create it anew, or find out who else writes there";

/// Commands that put under `session:s` what is no session.
const FOREIGN: [&[&str]; 8] = [
    &["RPUSH", "session:s", "a", "b"],
    &["HSET", "session:s", "user", "alice"],
    &["SADD", "session:s", "a"],
    &["ZADD", "session:s", "1", "a"],
    &["XADD", "session:s", "*", "field", "value"],
    &["SET", "session:s", ""],
    &["SET", "session:s", r#"{"user":"alice","expires":1795000000}"#],
    &["SET", "session:s", "sq1;"],
];

#[tokio::test]
async fn what_is_no_session_is_told_once_a_read_and_gives_way_to_a_new_session() {
    let Some(redis) = Redis::start().await else { return };
    let text = format!("{OURS}{NO_SESSION}");
    for words in FOREIGN {
        let a = redis.session_client(1, &calm());
        redis.ask::<()>(&["DEL", "session:s"]).await;
        redis.ask::<::redis::Value>(words).await;
        assert_eq!(a.client.get("s").await, Err(SessionError::Corrupt(NO_SESSION)), "{words:?}");
        damaged(&a, 1);
        assert_eq!(said(a.client.update("s", value("x")).await), text, "{words:?}");
        assert_eq!(said(a.client.touch("s", MINUTE).await), text, "{words:?}");
        damaged(&a, 3);
        create(&a, "s", "new", MINUTE).await;
        assert_eq!(fresh(&redis, "s").await.as_deref(), Some("new"), "{words:?}");
        damaged(&a, 3);
        redis.ask::<()>(&["DEL", "session:s"]).await;
        redis.ask::<::redis::Value>(words).await;
        assert_eq!(read(&a, "s").await.as_deref(), Some("new"), "what is known here comes back");
        assert_eq!(fresh(&redis, "s").await.as_deref(), Some("new"), "{words:?}");
        damaged(&a, 4);
    }
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_told_as_such() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &calm());
    redis.ask::<()>(&["SET", "session:s", &format!("sq2;{}", "0".repeat(200))]).await;
    let why = "a newer version of this client wrote the session, so use that one here too";
    assert_eq!(a.client.get("s").await, Err(SessionError::Corrupt(why)));
    assert_eq!(said(a.client.update("s", value("x")).await), format!("{OURS}{why}"));
    damaged(&a, 2);
    works(&redis, &a).await;
}

#[tokio::test]
async fn a_cache_takes_what_is_none_of_its_values_for_a_miss_and_counts_it() {
    let Some(redis) = Redis::start().await else { return };
    for words in FOREIGN {
        let told = redis.session_client(1, &calm());
        let cache = Cache::over(told.client.clone());
        redis.ask::<()>(&["DEL", "session:s"]).await;
        redis.ask::<::redis::Value>(words).await;
        assert_eq!(cache.get("s").await, Ok(None), "{words:?}");
        assert_eq!((cache.stats().damaged, cache.stats().misses), (1, 0), "{words:?}");
        damaged(&told, 1);
        let loaded = cache.get_or_set("s", MINUTE, async { Ok(value("loaded")) }).await;
        assert_eq!(loaded.unwrap(), value("loaded"));
        assert_eq!(fresh(&redis, "s").await.as_deref(), Some("loaded"), "{words:?}");
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Chat {
    name: String,
    topics: Vec<String>,
}

#[tokio::test]
async fn a_session_with_data_of_another_type_is_told_and_begins_anew_when_it_is_opened() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &calm());
    let (chats, words) = (
        SessionStore::<Chat>::over(told.client.clone()),
        SessionStore::<(u64, Vec<u64>)>::over(told.client.clone()),
    );
    let why = "the session has data of another type, so read it as that type, or create it anew";
    words.create("s", None, &(7, vec![1 << 60]), MINUTE).await.unwrap();
    for answer in [
        chats.get("s").await.map(|_| ()),
        chats.access("s").await.map(|_| ()),
        chats.change("s", |chat| chat.data.name.clear()).await.map(|_| ()),
    ] {
        assert_eq!(answer, Err(SessionError::Corrupt(why)));
    }
    assert!(matches!(words.get("s").await, Ok(Lookup::Found { session, .. }) if session.data.0 == 7));
    // A raw session, one of no bytes, and one that claims to hold more than there is.
    for raw in [&b"text"[..], b"", &[1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]] {
        told.client.create("raw", Bytes::copy_from_slice(raw), MINUTE).await.unwrap();
        assert_eq!(chats.get("raw").await.map(|_| ()), Err(SessionError::Corrupt(why)), "{raw:?}");
    }
    for id in ["s", "raw"] {
        let (session, opened) = chats.open(id, None, MINUTE).await.unwrap();
        assert_eq!((session.data, opened), (Chat::default(), Opened::Reset), "{id}");
        let aside: i64 = redis.ask(&["EXISTS", &format!("{{session:{id}}}:aside")]).await;
        assert_eq!(aside, 1, "{id}");
    }
    works(&redis, &told).await;
}

/// Commands that put under `session:c`, or beside it, what no counter can count on.
const NO_COUNTERS: [&[&str]; 6] = [
    &["SET", "session:c", "seven"],
    &["SET", "session:c", ""],
    &["SET", "session:c", "1.5"],
    &["SET", "session:c", "99999999999999999999"],
    &["RPUSH", "session:c", "1"],
    &["RPUSH", "{session:c}:counted", "1"],
];

#[tokio::test]
async fn what_is_no_number_is_told_by_a_counter_and_nothing_is_counted() {
    let Some(redis) = Redis::start().await else { return };
    let why = "it is no counter, so delete the key, or count under another";
    for words in NO_COUNTERS {
        let told = redis.session_client(1, &calm());
        let cache = Cache::over(told.client.clone());
        redis.ask::<()>(&["DEL", "session:c", "{session:c}:counted"]).await;
        redis.ask::<::redis::Value>(words).await;
        assert_eq!(cache.add("c", 1, Some(MINUTE)).await, Err(SessionError::Corrupt(why)), "{words:?}");
        damaged(&told, 1);
        if words[1] == "session:c" {
            assert_eq!(said(cache.count("c").await), format!("{OURS}{why}"), "{words:?}");
            damaged(&told, 2);
        }
        redis.ask::<()>(&["DEL", "session:c", "{session:c}:counted"]).await;
        assert_eq!(
            cache.add("c", 2, Some(MINUTE)).await.unwrap().value,
            2,
            "{words:?}: the first counted nothing"
        );
    }
}

#[tokio::test]
async fn a_sum_beyond_64_bits_is_refused_by_name_and_nothing_is_counted() {
    let Some(redis) = Redis::start().await else { return };
    let cache = Cache::over(redis.session_client(1, &calm()).client);
    cache.add("c", i64::MAX, None).await.unwrap();
    let error = cache.add("c", 1, None).await.unwrap_err();
    assert_eq!(error, SessionError::Call(CallError::Refused("overflow".to_owned())));
    assert_eq!(error.to_string(), "redis refuses: overflow: the sum does not fit into 64 bits");
    assert_eq!(cache.count("c").await.unwrap().value, i64::MAX);
    assert_eq!(cache.add("c", -1, None).await.unwrap().value, i64::MAX - 1);
}

#[tokio::test]
async fn an_index_of_users_that_is_none_is_told_and_what_is_known_here_serves_until_it_is_gone() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &calm());
    let store: SessionStore<u8> = SessionStore::over(told.client.clone());
    let keys = ["squall:user:session:alice", "squall:users:session:"];
    for key in keys {
        redis.ask::<()>(&["SET", key, "x"]).await;
    }
    store.create("s", Some("alice"), &7, MINUTE).await.unwrap();
    let hers = store.of_user("alice").await.unwrap();
    assert_eq!(hers.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(), ["s"]);
    damaged(&told, 1);
    let text = format!("{OURS}the index of users is none, so delete its key, and it is made again");
    assert_eq!(said(store.statistics().await), text);
    assert_eq!(said(store.cleanup().await), text);
    damaged(&told, 3);
    for key in keys {
        assert_eq!(redis.ask::<String>(&["GET", key]).await, "x", "what others wrote stays");
        redis.ask::<()>(&["DEL", key]).await;
    }
    // What is no id of ours in the index keeps nobody from the others.
    let long = "x".repeat(2000);
    redis.ask::<i64>(&["ZADD", keys[0], "9e15", "", "9e15", &long, "9e15", "s"]).await;
    assert_eq!(store.of_user("alice").await.unwrap().len(), 1);
    assert_eq!(redis.ask::<i64>(&["ZCARD", keys[0]]).await, 1, "the index forgets them");
    eventually("the index is whole again", || async {
        store.statistics().await.is_ok_and(|statistics| statistics.active_users == 1)
    })
    .await;
}

//! Typed sessions against a real Redis: what is known about them, whose they are, and what is damaged.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::time::Duration;

use redis::{MINUTE, Redis, Told, eventually, quick};
use serde::{Deserialize, Serialize};
use squall_client::{CallError, Clock, Event, Lookup, Opened, ServedBy, Session, SessionError, SessionStore};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Chat {
    name: String,
    topics: Vec<String>,
}

fn chat(name: &str) -> Chat {
    Chat { name: name.to_owned(), topics: vec!["weather".to_owned()] }
}

fn store(redis: &Redis, writer: u32) -> (SessionStore<Chat>, Told) {
    let told = redis.session_client(writer, &quick());
    (SessionStore::over(told.client.clone()), told)
}

async fn found(store: &SessionStore<Chat>, id: &str) -> Session<Chat> {
    match store.get(id).await {
        Ok(Lookup::Found { session, .. }) => session,
        other => panic!("{id}: {other:?}"),
    }
}

async fn ids_of(store: &SessionStore<Chat>, user: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        store.of_user(user).await.expect("it is answered").into_iter().map(|session| session.id).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn each_session_that_is_stored_loaded_extended_or_deleted_is_told() {
    let Some(redis) = Redis::start().await else { return };
    let (store, told) = store(&redis, 1);
    store.create("s", None, &chat("first"), MINUTE).await.unwrap();
    store.message("s").await.unwrap();
    found(&store, "s").await;
    store.extend("s", 2 * MINUTE).await.unwrap();
    store.destroy("s").await.unwrap();
    assert_eq!(store.message("s").await, Err(SessionError::NoSession));
    let line = |event: &Event| match event {
        Event::Session { line, .. } => {
            Some((line.what, line.ttl.map(|ttl| ttl.as_secs_f64().round()), line.messages, line.served_by))
        }
        _ => None,
    };
    let lines: Vec<_> = told.events.lock().unwrap().iter().filter_map(line).collect();
    let by = ServedBy::Redis;
    let expected = [
        ("stored", Some(60.0), Some(0), by),
        ("stored", Some(60.0), Some(1), by),
        ("loaded", Some(60.0), Some(1), by),
        ("extended", Some(120.0), None, by),
        ("deleted", None, None, by),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn what_one_instance_notes_the_other_knows() {
    let Some(redis) = Redis::start().await else { return };
    let ((a, _keep_a), (b, _keep_b)) = (store(&redis, 1), store(&redis, 2));
    a.create("s", Some("alice"), &chat("first"), MINUTE).await.unwrap();
    a.message("s").await.unwrap();
    b.message("s").await.unwrap();
    let left = b.disconnect("s").await.unwrap();
    let session = found(&a, "s").await;
    assert_eq!((session.messages, session.sequence, session.user.as_deref()), (2, 2, Some("alice")));
    assert_eq!((session.data, session.served_by), (chat("first"), ServedBy::Redis));
    assert_eq!(session.disconnected_unix_ms, left.disconnected_unix_ms);
    assert!(session.disconnected_unix_ms.is_some_and(|at| at >= session.created_unix_ms));
    assert!(session.last_activity_unix_ms >= session.created_unix_ms && session.ttl <= MINUTE);
    let again = a.message("s").await.unwrap();
    assert_eq!((again.messages, again.disconnected_unix_ms), (3, None));
    assert_eq!(a.access("nothing").await, Err(SessionError::NoSession));
}

#[tokio::test]
async fn messages_at_the_same_moment_all_count_and_keep_the_time_to_live() {
    let Some(redis) = Redis::start().await else { return };
    let (a, _keep) = store(&redis, 1);
    a.create("s", None, &chat("x"), MINUTE).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let a = a.clone();
        tasks.spawn(async move { a.message("s").await.map(|session| session.sequence) });
    }
    let mut numbers: Vec<u64> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<u64>>());
    let left: i64 = redis.ask(&["PTTL", "session:s"]).await;
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn counts_outlive_an_outage_and_a_redis_that_forgot() {
    let Some(mut redis) = Redis::start().await else { return };
    let (a, told) = store(&redis, 1);
    a.create("s", Some("alice"), &chat("x"), MINUTE).await.unwrap();
    a.message("s").await.unwrap();
    redis.kill();
    assert_eq!(a.message("s").await.unwrap().served_by, ServedBy::Local);
    a.create("t", Some("alice"), &chat("y"), MINUTE).await.unwrap();
    assert_eq!(ids_of(&a, "alice").await, ["s", "t"]);
    redis.start_again().await;
    told.clean().await;
    let (b, _keep) = store(&redis, 2);
    assert_eq!(found(&b, "s").await.messages, 2);
    eventually("the index is whole again", || async { ids_of(&b, "alice").await == ["s", "t"] }).await;
}

#[tokio::test]
async fn the_sessions_of_a_user_are_those_that_live() {
    let Some(redis) = Redis::start().await else { return };
    let (a, _keep) = store(&redis, 1);
    for id in ["s", "t", "gone"] {
        a.create(id, Some("alice"), &chat(id), MINUTE).await.unwrap();
    }
    a.create("short", Some("alice"), &chat("short"), Duration::from_millis(50)).await.unwrap();
    a.create("other", Some("bob"), &chat("other"), MINUTE).await.unwrap();
    a.create("nobody's", None, &chat("z"), MINUTE).await.unwrap();
    a.destroy("gone").await.unwrap();
    // Somebody else's now; the index still has it.
    a.create("t", Some("bob"), &chat("t"), MINUTE).await.unwrap();
    eventually("short is over", || async { ids_of(&a, "alice").await == ["s"] }).await;
    assert_eq!(ids_of(&a, "bob").await, ["other", "t"]);
    assert_eq!(ids_of(&a, "carol").await, Vec::<String>::new());
    let lives: i64 = redis.ask(&["PTTL", "squall:user:session:alice"]).await;
    assert!((1..=60_000).contains(&lives), "the index goes with its last session: {lives}");
    a.extend("s", 10 * MINUTE).await.unwrap();
    let lives: i64 = redis.ask(&["PTTL", "squall:user:session:alice"]).await;
    assert!(lives > 60_000, "{lives}");
    let left: i64 = redis.ask(&["ZCARD", "squall:user:session:alice"]).await;
    assert_eq!(left, 1, "what is over has left the index");
}

#[tokio::test]
async fn whose_a_session_becomes_later_and_what_the_index_lost_are_known_too() {
    let Some(redis) = Redis::start().await else { return };
    let (a, told) = store(&redis, 1);
    a.create("s", None, &chat("x"), MINUTE).await.unwrap();
    a.change("s", |session| session.user = Some("alice".to_owned())).await.unwrap();
    assert_eq!(ids_of(&a, "alice").await, ["s"]);
    // As after a restart with what lay on disk: the sessions are there, and the index is not.
    let _: i64 = redis.ask(&["DEL", "squall:user:session:alice"]).await;
    assert_eq!(ids_of(&a, "alice").await, Vec::<String>::new());
    let again: SessionStore<Chat> = SessionStore::over(told.client.clone());
    eventually("the index is whole again", || async { ids_of(&again, "alice").await == ["s"] }).await;
}

#[tokio::test]
async fn what_is_damaged_is_kept_aside_and_the_session_begins_anew() {
    let Some(redis) = Redis::start().await else { return };
    let (a, _keep) = store(&redis, 1);
    let (session, opened) = a.open("s", Some("alice"), MINUTE).await.unwrap();
    assert_eq!((session.messages, opened), (0, Opened::New));
    assert_eq!(found(&a, "s").await.created_unix_ms, session.created_unix_ms);
    a.message("s").await.unwrap();
    let (session, opened) = a.open("s", Some("alice"), MINUTE).await.unwrap();
    assert_eq!((session.messages, opened), (1, Opened::Found));
    let damages: [&[&str]; 2] =
        [&["SET", "session:text", "not ours"], &["RPUSH", "session:list", "neither", "is", "this"]];
    for damage in damages {
        let (key, id) = (damage[1], damage[1].trim_start_matches("session:"));
        let _: ::redis::Value = redis.ask(damage).await;
        assert!(matches!(a.get(id).await, Err(SessionError::Corrupt(_))), "{id}");
        let (session, opened) = a.open(id, None, MINUTE).await.unwrap();
        assert_eq!((session.messages, session.data, opened), (0, Chat::default(), Opened::Reset), "{id}");
        assert_eq!(found(&a, id).await.messages, 0);
        let aside = format!("{{{key}}}:aside");
        let kind: String = redis.ask(&["TYPE", &aside]).await;
        assert_eq!(kind, if id == "list" { "list" } else { "string" });
        let days: i64 = redis.ask(&["TTL", &aside]).await;
        assert!((600_000..=604_800).contains(&days), "{days}");
    }
    // A session of ours, with data of another type.
    let told = redis.session_client(3, &quick());
    let other: SessionStore<u8> = SessionStore::over(told.client.clone());
    other.create("typed", None, &7, MINUTE).await.unwrap();
    assert!(matches!(a.get("typed").await, Err(SessionError::Corrupt(_))));
    assert_eq!(a.open("typed", None, MINUTE).await.unwrap().1, Opened::Reset);
}

#[tokio::test]
async fn they_are_counted_cleaned_up_and_cleared() {
    let Some(redis) = Redis::start().await else { return };
    let (a, _keep) = store(&redis, 1);
    for number in 0..700 {
        let user = format!("user{}", number % 7);
        a.create(&format!("s{number}"), Some(&user), &chat("x"), MINUTE).await.unwrap();
    }
    a.create("short", Some("gone"), &chat("x"), Duration::from_secs(1)).await.unwrap();
    a.destroy("s0").await.unwrap();
    eventually("the short one is over", || async {
        let statistics = a.statistics().await.unwrap();
        (statistics.total_sessions, statistics.active_users) == (699, 7)
    })
    .await;
    assert_eq!(a.cleanup().await, Ok(1));
    assert_eq!(a.cleanup().await, Ok(0));
    assert_eq!(a.client().clear("s1*").await.map(|cleared| cleared.count), Ok(111));
    assert_eq!(a.client().count().await, Ok(588));
    assert_eq!(a.client().clear("*").await.map(|cleared| cleared.count), Ok(588));
    assert_eq!(a.client().count().await, Ok(0));
}

#[tokio::test]
async fn a_session_of_three_hundred_bytes_costs_a_hundred_more() {
    let Some(redis) = Redis::start().await else { return };
    let (a, told) = store(&redis, 1);
    told.client.create("raw", bytes::Bytes::from(vec![b'x'; 300]), MINUTE).await.unwrap();
    let raw: i64 = redis.ask(&["STRLEN", "session:raw"]).await;
    assert_eq!(raw, 400);
    let data = Chat { name: "x".repeat(280), topics: Vec::new() };
    a.create("typed", Some("alice"), &data, MINUTE).await.unwrap();
    a.message("typed").await.unwrap();
    let typed: i64 = redis.ask(&["STRLEN", "session:typed"]).await;
    assert!(typed <= 280 + 100 + 30, "{typed}");
}

#[tokio::test]
async fn who_waits_too_long_for_others_that_change_the_session_is_told_so() {
    let Some(redis) = Redis::start().await else { return };
    let mut settings = quick();
    settings.breaker.enabled = false;
    let told = redis.session_client(1, &settings);
    let store: SessionStore<Chat> = SessionStore::over(told.client.clone());
    store.create("s", None, &Chat::default(), MINUTE).await.expect("it can be created");
    redis.pause();
    let clock = Clock::system();
    let begun = clock.now();
    let mut changing = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        changing.spawn(async move { store.message("s").await.map(|session| session.messages) });
    }
    let ended = changing.join_all().await;
    let waited = clock.now().since(begun);
    redis.go_on();
    let late = |ended: &&Result<u64, SessionError>| **ended == Err(SessionError::Call(CallError::TooLate));
    assert!(ended.iter().filter(late).count() > 10, "{ended:?}");
    // One deadline to wait for others, and one each to read and to write.
    assert!(waited < 3 * settings.deadline + Duration::from_millis(500), "{waited:?}");
}

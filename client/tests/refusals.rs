//! What a client refuses, what Redis refuses it, and how it ends, with a real redis-server.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::time::Duration;

use redis::{MINUTE, Redis, create, eventually, fresh, mode, quick, read, value};
use squall_client::settings::Fallback;
use squall_client::{CallError, Event, Lookup, ServedBy, SessionError, Settings};

#[tokio::test]
async fn what_is_not_a_session_is_told_and_replaced_where_a_copy_is_known() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (redis.session_client(1, &quick()), redis.session_client(2, &quick()));
    create(&a, "s", "mine", MINUTE).await;
    let corrupt = || async { b.client.get("s").await.unwrap_err().code() };
    for words in [&["SET", "session:s", "foreign"][..], &["SETRANGE", "session:s", "104", "?"]] {
        redis.ask::<::redis::Value>(words).await;
        assert_eq!(corrupt().await, "invalid");
        assert_eq!(b.client.update("s", value("y")).await.unwrap_err().code(), "invalid");
        assert_eq!(read(&a, "s").await.as_deref(), Some("mine"));
        assert_eq!(fresh(&redis, "s").await.as_deref(), Some("mine"));
        create(&a, "s", "mine", MINUTE).await;
    }
    redis.ask::<()>(&["DEL", "session:s"]).await;
    redis.ask::<()>(&["HSET", "session:s", "field", "1"]).await;
    assert_eq!(corrupt().await, "invalid");
    assert_eq!(read(&a, "s").await.as_deref(), Some("mine"));
    assert_eq!(a.client.stats().damaged, 3);
    assert_eq!(a.count(|event| matches!(event, Event::Corrupt { .. })), 3);
    // What nobody knows can still be created anew, or destroyed.
    redis.ask::<()>(&["SET", "session:unknown", "foreign"]).await;
    create(&b, "unknown", "new", MINUTE).await;
    assert_eq!(fresh(&redis, "unknown").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_refused_login_is_an_outage_that_heals() {
    let Some(redis) = Redis::start().await else { return };
    let mut side = redis.side().await;
    ::redis::cmd("CONFIG").arg(&["SET", "requirepass", "secret"]).exec_async(&mut side).await.unwrap();
    let a = redis.session_client(1, &quick());
    assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Local);
    assert!(a.client.stats().connections == 0);
    ::redis::cmd("CONFIG").arg(&["SET", "requirepass", ""]).exec_async(&mut side).await.unwrap();
    a.clean().await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("x"));
}

#[tokio::test]
async fn without_a_fallback_nothing_is_accepted_that_redis_did_not_take() {
    let Some(mut redis) = Redis::start().await else { return };
    let settings = Settings { fallback: Fallback::None, ..quick() };
    let a = redis.session_client(1, &settings);
    create(&a, "s", "x", MINUTE).await;
    redis.pause();
    let error = a.client.update("s", value("late")).await.unwrap_err();
    assert_eq!(error, SessionError::Call(CallError::Timeout));
    assert!(!error.definite());
    redis.go_on();
    redis.kill();
    eventually("refusals", || async {
        a.client.create("n", value("x"), MINUTE).await.is_err_and(|e| e.definite())
    })
    .await;
    assert!(matches!(a.client.get("s").await, Ok(Lookup::Unknown { .. })));
    assert_eq!(a.client.stats().dirty, 0);
    redis.start_again().await;
    a.clean().await;
    eventually("redis is asked again", || async {
        matches!(
            a.client.get("n").await,
            Ok(Lookup::Absent { .. }) | Ok(Lookup::Unknown { because: CallError::NotNow(_) })
        )
    })
    .await;
    assert_eq!(fresh(&redis, "n").await, None, "what was surely refused never comes");
    assert_eq!(a.count(|event| mode(event).is_some()), 0);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_at_once() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    let long = "x".repeat(1025);
    for id in ["", &long, "a}b"] {
        assert_eq!(a.client.create(id, value("x"), MINUTE).await.unwrap_err().code(), "invalid");
        assert_eq!(a.client.get(id).await.unwrap_err().code(), "invalid");
    }
    let large = bytes::Bytes::from(vec![0; 100 << 20]);
    let error = a.client.create("s", large, MINUTE).await.unwrap_err();
    assert!(error.to_string().contains("raise local.bytes") && error.definite(), "{error}");
    for ttl in [Duration::MAX, Duration::from_micros(999)] {
        assert_eq!(a.client.create("s", value("x"), ttl).await.unwrap_err().code(), "invalid");
    }
    assert_eq!(a.client.create("s", value("x"), Duration::ZERO).await.unwrap_err().code(), "invalid");
    assert_eq!(a.client.update("s", value("x")).await.unwrap_err(), SessionError::NoSession);
    assert_eq!(a.client.touch("s", MINUTE).await.unwrap_err(), SessionError::NoSession);
    assert_eq!(a.client.destroy("s").await.unwrap().served_by, ServedBy::Redis);
}

#[tokio::test]
async fn shutting_down_brings_what_is_left() {
    let Some(mut redis) = Redis::start().await else { return };
    let mut settings = quick();
    settings.resync.start_delay_max = Duration::from_secs(3600);
    let a = redis.session_client(1, &settings);
    create(&a, "first", "x", MINUTE).await;
    redis.kill();
    create(&a, "s", "x", MINUTE).await;
    redis.start_again().await;
    eventually("redis serves again", || async {
        matches!(a.client.get("first").await, Ok(Lookup::Found { served_by: ServedBy::Redis, .. }))
    })
    .await;
    a.client.shutdown().await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("x"));
    let late = a.client.update("s", value("y")).await.unwrap_err();
    assert_eq!((late.code(), late.definite()), ("unavailable", true));
}

#[tokio::test]
async fn sessions_that_redis_never_takes_keep_no_other_from_being_brought() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    // With a hash tag their tombstones lie under keys that this user may not touch.
    redis
        .ask::<()>(&["ACL", "SETUSER", "default", "resetkeys", "~session:*", "~{session:*", "~squall:*"])
        .await;
    for number in 0..40 {
        assert_eq!(create(&a, &format!("{{u}}:{number}"), "x", MINUTE).await, ServedBy::Local);
    }
    assert_eq!(create(&a, "b", "y", MINUTE).await, ServedBy::Redis);
    let is_there = || redis.ask::<bool>(&["EXISTS", "session:b"]);
    redis.ask::<()>(&["FLUSHALL"]).await;
    eventually("it is brought again", is_there).await;
    redis.ask::<()>(&["ACL", "SETUSER", "default", "allkeys"]).await;
    a.clean().await;
    assert_eq!(fresh(&redis, "{u}:39").await.as_deref(), Some("x"));
}

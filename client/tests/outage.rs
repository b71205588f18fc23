//! Sessions through outages of a real redis-server: nothing acknowledged is lost, nothing is revived, every TTL is right.

mod redis;

use std::time::Duration;

use redis::{MINUTE, Redis, create, eventually, fresh, mode, quick, read, value};
use squall_client::core::breaker::State;
use squall_client::{Clock, Event, Force, Lookup, Mode, Resync, ServedBy, SessionError};

async fn assert_left(redis: &Redis, id: &str, should: Duration) {
    let left: i64 = redis.ask(&["PTTL", &format!("session:{id}")]).await;
    let should = should.as_millis() as i64;
    assert!((left - should).abs() < 100, "{id}: {left} ms left, should be {should}");
}

fn is_open(event: &Event) -> bool {
    matches!(event, Event::Breaker { to: State::Open, .. })
}

#[tokio::test]
async fn what_happened_while_redis_was_away_is_there_when_it_is_back_empty() {
    let Some(mut redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    for id in ["kept", "updated", "touched", "shortened", "destroyed"] {
        assert_eq!(create(&a, id, "before", MINUTE).await, ServedBy::Redis);
    }
    let made = Clock::system();
    redis.kill();
    assert_eq!(a.client.update("updated", value("after")).await.unwrap().served_by, ServedBy::Local);
    a.client.touch("touched", 2 * MINUTE).await.unwrap();
    a.client.touch("shortened", MINUTE / 2).await.unwrap();
    a.client.destroy("destroyed").await.unwrap();
    create(&a, "new", "after", MINUTE).await;
    assert_eq!(read(&a, "updated").await.as_deref(), Some("after"));
    assert_eq!(read(&a, "destroyed").await, None);
    redis.start_again().await;
    a.clean().await;
    let since = made.now().since(squall_client::Time::START);
    let texts = [("kept", "before"), ("updated", "after"), ("touched", "before"), ("new", "after")];
    for (id, text) in texts {
        assert_eq!(fresh(&redis, id).await.as_deref(), Some(text), "{id}");
    }
    assert_eq!(fresh(&redis, "destroyed").await, None);
    let tombstone: i64 = redis.ask(&["PTTL", "{session:destroyed}:tomb"]).await;
    assert!(tombstone > 0);
    for (id, ttl) in [("kept", MINUTE), ("updated", MINUTE)] {
        assert_left(&redis, id, ttl.saturating_sub(since)).await;
    }
    // The others started while it was away, within the time that the kill took to be noticed.
    for (id, ttl) in [("touched", 2 * MINUTE), ("shortened", MINUTE / 2), ("new", MINUTE)] {
        let Lookup::Found { session: left, .. } = a.client.ttl(id).await.unwrap() else {
            panic!("{id} is there")
        };
        assert!(left < ttl);
        assert_left(&redis, id, left).await;
    }
    assert!(a.count(|event| matches!(event, Event::Resync { what: Resync::Finished { .. }, .. })) > 0);
    let modes: Vec<Mode> = a.events.lock().unwrap().iter().filter_map(mode).collect();
    assert_eq!((modes.first(), modes.last()), (Some(&Mode::Local), Some(&Mode::Redis)));
}

#[tokio::test]
async fn a_paused_redis_delays_nobody_beyond_the_deadline_and_late_writes_do_no_harm() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    create(&a, "s", "0", MINUTE).await;
    create(&a, "gone", "0", MINUTE).await;
    redis.pause();
    let clock = Clock::system();
    for text in ["1", "2", "3", "4"] {
        let before = clock.now();
        a.client.update("s", value(text)).await.unwrap();
        assert!(clock.now().since(before) < quick().deadline + Duration::from_millis(50));
        assert_eq!(read(&a, "s").await.as_deref(), Some(text));
    }
    a.client.destroy("gone").await.unwrap();
    assert_eq!(read(&a, "gone").await, None);
    assert!(a.count(is_open) > 0);
    redis.go_on();
    a.clean().await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("4"));
    assert_eq!(fresh(&redis, "gone").await, None);
    assert_eq!(read(&a, "s").await.as_deref(), Some("4"));
}

#[tokio::test]
async fn a_session_that_expires_during_the_outage_stays_gone() {
    let Some(mut redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    let ttl = Duration::from_millis(400);
    create(&a, "clean", "x", ttl).await;
    redis.kill();
    create(&a, "dirty", "x", ttl).await;
    for id in ["clean", "dirty"] {
        eventually("it expires", || async {
            // Somebody else may have extended it: only Redis could say.
            matches!(a.client.get(id).await, Ok(Lookup::Unknown { .. }))
        })
        .await;
        let error = a.client.update(id, value("y")).await.unwrap_err();
        assert_eq!((error.code(), error.definite()), ("unavailable", true));
    }
    redis.start_again().await;
    a.clean().await;
    for id in ["clean", "dirty"] {
        let there: i64 = redis.ask(&["EXISTS", &format!("session:{id}")]).await;
        assert_eq!(there, 0, "{id}");
    }
}

#[tokio::test]
async fn an_unreachable_redis_never_means_logged_out() {
    let Some(mut redis) = Redis::start().await else { return };
    redis.kill();
    let a = redis.session_client(1, &quick());
    assert!(matches!(a.client.get("somebody's").await, Ok(Lookup::Unknown { .. })));
    for error in [a.client.update("s", value("x")).await, a.client.touch("s", MINUTE).await] {
        let error = error.unwrap_err();
        assert_eq!((error.code(), error.definite()), ("unavailable", true));
    }
    // A logout is taken nevertheless, and holds.
    assert_eq!(a.client.destroy("somebody's").await.unwrap().served_by, ServedBy::Local);
    assert_eq!(read(&a, "somebody's").await, None);
}

#[tokio::test]
async fn a_second_resync_writes_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    for n in 0..20 {
        create(&a, &format!("s{n}"), "x", MINUTE).await;
    }
    a.client.touch("s1", MINUTE / 2).await.unwrap();
    a.client.destroy("s2").await.unwrap();
    a.clean().await;
    let calls = || async { (redis.calls("set").await, redis.calls("del").await) };
    let before = calls().await;
    redis.ask::<()>(&["SET", "squall:generation:session:", "another"]).await;
    eventually("a resync", || async {
        a.count(|event| matches!(event, Event::Resync { what: Resync::Finished { sessions: 20 }, .. })) > 0
    })
    .await;
    let after = calls().await;
    // One SET was the test's own; the DEL of what is destroyed found nothing to delete.
    assert_eq!(after.0, before.0 + 1);
    assert_eq!(after.1, before.1 + 1);
}

#[tokio::test]
async fn a_redis_that_was_flushed_gets_everything_again_and_revives_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (redis.session_client(1, &quick()), redis.session_client(2, &quick()));
    create(&a, "alive", "x", MINUTE).await;
    create(&a, "destroyed", "x", MINUTE).await;
    create(&a, "shortened", "x", MINUTE).await;
    // B keeps copies from before the session was destroyed, and before its TTL was shortened.
    for id in ["alive", "destroyed", "shortened"] {
        assert_eq!(read(&b, id).await.as_deref(), Some("x"));
    }
    a.client.destroy("destroyed").await.unwrap();
    a.client.touch("shortened", Duration::from_millis(100)).await.unwrap();
    redis.ask::<()>(&["FLUSHALL"]).await;
    let side = redis.side().await;
    eventually("both bring what they know", || async {
        let there: i64 = ::redis::cmd("EXISTS")
            .arg(&["session:alive", "{session:destroyed}:tomb", "{session:shortened}:tomb"])
            .query_async(&mut side.clone())
            .await
            .unwrap();
        let gone: i64 = ::redis::cmd("EXISTS")
            .arg(&["session:destroyed", "session:shortened"])
            .query_async(&mut side.clone())
            .await
            .unwrap();
        there == 3 && gone == 0 && a.client.stats().dirty == 0 && b.client.stats().dirty == 0
    })
    .await;
    for told in [&a, &b] {
        assert_eq!(read(told, "alive").await.as_deref(), Some("x"));
        assert_eq!(read(told, "destroyed").await, None);
        assert_eq!(read(told, "shortened").await, None);
    }
}

#[tokio::test]
async fn an_evicted_session_is_brought_back_but_a_destroyed_one_is_not() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (redis.session_client(1, &quick()), redis.session_client(2, &quick()));
    for id in ["evicted", "destroyed"] {
        create(&a, id, "x", MINUTE).await;
        assert_eq!(read(&b, id).await.as_deref(), Some("x"));
    }
    redis.ask::<()>(&["DEL", "session:evicted"]).await;
    a.client.destroy("destroyed").await.unwrap();
    assert_eq!(read(&b, "evicted").await.as_deref(), Some("x"));
    assert_eq!(fresh(&redis, "evicted").await.as_deref(), Some("x"));
    assert_eq!(read(&b, "destroyed").await, None);
    assert_eq!(b.client.update("destroyed", value("y")).await.unwrap_err(), SessionError::NoSession);
    assert_eq!(fresh(&redis, "destroyed").await, None);
}

#[tokio::test]
async fn an_update_here_and_an_extension_there_both_survive_an_outage() {
    let Some(mut redis) = Redis::start().await else { return };
    let (a, b) = (redis.session_client(1, &quick()), redis.session_client(2, &quick()));
    for id in ["both", "destroyed"] {
        create(&a, id, "before", MINUTE).await;
        assert_eq!(read(&b, id).await.as_deref(), Some("before"));
    }
    redis.kill();
    a.client.update("both", value("after")).await.unwrap();
    b.client.touch("both", 3 * MINUTE).await.unwrap();
    let touched = Clock::system();
    a.client.update("destroyed", value("after")).await.unwrap();
    b.client.destroy("destroyed").await.unwrap();
    redis.start_again().await;
    a.clean().await;
    b.clean().await;
    assert_eq!(fresh(&redis, "both").await.as_deref(), Some("after"));
    let since = touched.now().since(squall_client::Time::START);
    assert_left(&redis, "both", 3 * MINUTE - since).await;
    eventually("all agree that it is gone", || async {
        read(&a, "destroyed").await.is_none() && fresh(&redis, "destroyed").await.is_none()
    })
    .await;
}

#[tokio::test]
async fn clocks_that_are_hours_apart_neither_lose_writes_nor_shift_expiries() {
    let Some(mut redis) = Redis::start().await else { return };
    let now = Clock::system().unix_ms();
    let hours = 3 * 3_600_000;
    redis.kill();
    let ahead = redis.session_client_at(1, &quick(), Clock::new(now + hours));
    let behind = redis.session_client_at(2, &quick(), Clock::new(now - hours));
    create(&ahead, "s", "ahead", MINUTE).await;
    create(&ahead, "a", "ahead", MINUTE).await;
    // Later by more than the error of what each will learn of Redis's clock, on a machine that may stand still for a moment.
    let written = Clock::system();
    let mut clock = Clock::system();
    while written.now().since(squall_client::Time::START) < Duration::from_millis(300) {
        clock = Clock::system();
        create(&behind, "s", "behind", 2 * MINUTE).await;
    }
    redis.start_again().await;
    ahead.clean().await;
    behind.clean().await;
    let since = clock.now().since(squall_client::Time::START);
    // Whoever wrote later wins, whatever their clocks said.
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("behind"));
    assert_left(&redis, "s", 2 * MINUTE - since).await;
    assert_left(&redis, "a", MINUTE - written.now().since(squall_client::Time::START)).await;
    ahead.client.update("s", value("again")).await.unwrap();
    behind.client.update("s", value("and again")).await.unwrap();
    assert_eq!(read(&ahead, "s").await.as_deref(), Some("and again"));
}

#[tokio::test]
async fn five_hundred_sessions_are_brought_in_well_under_two_seconds() {
    let Some(mut redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    create(&a, "first", "x", MINUTE).await;
    redis.kill();
    for n in 0..500 {
        assert_eq!(create(&a, &format!("s{n}"), "x", MINUTE).await, ServedBy::Local);
    }
    redis.start_again().await;
    eventually("the breaker closes", || async {
        a.count(|event| matches!(event, Event::Breaker { to: State::Closed, .. })) > 0
    })
    .await;
    let clock = Clock::system();
    a.clean().await;
    let took = clock.now().since(squall_client::Time::START);
    assert!(took < Duration::from_millis(1500), "{took:?}");
    let keys: Vec<String> = redis.ask(&["KEYS", "session:*"]).await;
    assert_eq!(keys.len(), 501);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_behind_that_is_not_brought() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    create(&a, "s", "0", MINUTE).await;
    redis.pause();
    for text in ["1", "2"] {
        let client = a.client.clone();
        let write = tokio::spawn(async move { client.update("s", value(text)).await });
        eventually("the write has begun", || async { a.client.stats().dirty == 1 }).await;
        tokio::task::yield_now().await;
        write.abort();
        let _ = write.await;
    }
    redis.go_on();
    a.clean().await;
    assert_eq!(fresh(&redis, "s").await, read(&a, "s").await);
}

#[tokio::test]
async fn a_breaker_that_is_forced_open_leaves_redis_alone_until_it_is_let_go() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    create(&a, "s", "x", MINUTE).await;
    a.client.force_breaker(Force::Open);
    assert_eq!(create(&a, "s", "y", MINUTE).await, ServedBy::Local);
    assert_eq!(read(&a, "s").await.as_deref(), Some("y"));
    eventually("its connections are closed", || async { a.client.stats().connections == 0 }).await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("x"));
    a.client.force_breaker(Force::Auto);
    a.clean().await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("y"));
}

#[tokio::test]
async fn a_resync_goes_on_at_its_pace_where_few_calls_may_be_in_flight() {
    let Some(mut redis) = Redis::start().await else { return };
    let mut settings = quick();
    settings.pool.in_flight = 2;
    let a = redis.session_client(1, &settings);
    create(&a, "first", "x", MINUTE).await;
    redis.kill();
    for number in 0..300 {
        create(&a, &number.to_string(), "x", MINUTE).await;
    }
    redis.start_again().await;
    a.clean().await;
    assert_eq!(fresh(&redis, "299").await.as_deref(), Some("x"));
}

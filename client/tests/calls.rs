//! Calls on a real redis-server that ends connections or stands still, and calls that their callers give up.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::sync::Arc;
use std::time::Duration;

use redis::{MINUTE, Redis, Told, create, eventually, quick, value};
use squall_client::core::breaker::State;
use squall_client::{Clock, Event, Lookup, ServedBy};

/// Who served a read of a session that holds its own name.
async fn get(told: &Told, id: &str) -> ServedBy {
    match told.client.get(id).await.expect("it is answered") {
        Lookup::Found { session, served_by } => {
            assert_eq!(session.value, id, "the value of another session");
            served_by
        }
        other => panic!("{id}: {other:?}"),
    }
}

fn states(told: &Told) -> Vec<State> {
    let state = |event: &Event| if let Event::Breaker { to, .. } = event { Some(*to) } else { None };
    told.events.lock().expect("no panic").iter().filter_map(state).collect()
}

#[tokio::test]
async fn connections_that_the_server_ends_cost_nobody_an_error() {
    let Some(redis) = Redis::start().await else { return };
    let subject = redis.session_client(1, &quick());
    assert_eq!(create(&subject, "a", "a", MINUTE).await, ServedBy::Redis);
    for _ in 0..20 {
        let _killed: u64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        assert_eq!(get(&subject, "a").await, ServedBy::Redis);
        assert_eq!(create(&subject, "b", "b", MINUTE).await, ServedBy::Redis);
    }
    assert_eq!(states(&subject), []);
    assert!(subject.client.stats().connections <= 1);
}

#[tokio::test]
async fn a_server_that_stands_still_is_served_for_within_the_deadline_and_found_again() {
    let Some(redis) = Redis::start().await else { return };
    let settings = quick();
    let subject = redis.session_client(1, &settings);
    assert_eq!(create(&subject, "a", "a", MINUTE).await, ServedBy::Redis);
    redis.pause();
    let clock = Clock::system();
    for _ in 0..3 {
        let started = clock.now();
        assert_eq!(get(&subject, "a").await, ServedBy::Local);
        assert!(clock.now().since(started) < settings.deadline + Duration::from_millis(500));
    }
    assert_eq!(create(&subject, "b", "b", MINUTE).await, ServedBy::Local);
    redis.go_on();
    eventually("redis serves again", || async { get(&subject, "b").await == ServedBy::Redis }).await;
    assert_eq!(states(&subject).first(), Some(&State::Open));
    assert_eq!(states(&subject).last(), Some(&State::Closed));
    assert!(subject.client.stats().connections <= u64::from(settings.pool.connections));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_some_of_them_cancelled_get_their_own_sessions_on_few_connections() {
    let Some(redis) = Redis::start().await else { return };
    let settings = squall_client::Settings::default();
    let subject = Arc::new(redis.session_client(1, &settings));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..50_u64 {
        let subject = Arc::clone(&subject);
        tasks.spawn(async move {
            for round in 0..40 {
                let id = format!("{task}-{round}");
                let created = subject.client.create(&id, value(&id), MINUTE).await.expect("it is accepted");
                assert_eq!(created.served_by, ServedBy::Redis);
                let patience = Duration::from_micros((task * 40 + round) % 900);
                let _cancelled = tokio::time::timeout(patience, get(&subject, &id)).await;
                assert_eq!(get(&subject, &id).await, ServedBy::Redis);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no task fails");
    }
    assert_eq!(states(&subject), []);
    assert!(subject.client.stats().connections <= u64::from(settings.pool.connections));
}

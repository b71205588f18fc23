//! A chat goes on through outages of Redis and restarts of its workers, as its page shows.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::http::{TOKEN, send};
use crate::redis::{Redis, eventually};
use crate::worker::Worker;

/// What a worker answers about a session over HTTP.
async fn asked(worker: &Worker, session: &str) -> Value {
    let token = format!("Authorization: Bearer {TOKEN}");
    send(worker.port, "GET", &format!("/api/sessions/{session}/"), &[&token], b"").await.with(200)
}

#[tokio::test]
async fn a_page_goes_on_while_redis_is_gone_and_finds_its_count_when_it_is_back_empty() {
    let Some(mut redis) = Redis::start().await else { return };
    let Some(page) = Browser::start(json!({})).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut first = Worker::start(&redis, folder.path()).await;
    let second = Worker::start(&redis, folder.path()).await;

    page.open(first.port).await;
    page.until("redis", 0).await;
    let session = page.text("session").await;
    page.say("Good morning").await;
    page.say("Is anybody there?").await;
    page.until("redis", 2).await;
    page.screenshot("1-redis").await;

    redis.kill();
    page.until("memory", 2).await;
    page.until_text("mode", "Local memory").await;
    page.say("Redis is gone").await;
    page.say("and we go on").await;
    page.until("memory", 4).await;
    page.until_text("breaker", "open").await;
    page.until_text("waiting", "1 session").await;
    page.screenshot("2-memory").await;

    redis.start_again().await;
    page.until("redis", 4).await;
    page.until_text("breaker", "closed").await;
    page.until_text("waiting", "0 sessions").await;
    page.say("Redis is back, empty").await;
    page.until("redis", 5).await;

    // The other worker knows only what Redis has.
    page.open_beside(second.port).await;
    page.until("redis", 5).await;
    assert_eq!(page.text("session").await, session);
    eventually("both workers hear each other again", || async {
        redis.ask::<(String, u64)>(&["PUBSUB", "NUMSUB", "chat:room"]).await.1 == 2
    })
    .await;
    page.say("From the other worker").await;
    page.until("redis", 6).await;
    let known = asked(&second, &session).await;
    assert_eq!((&known["message_count"], &known["served_by"]), (&6.into(), &"redis".into()));
    page.close_window().await;
    page.until("redis", 6).await;
    eventually("what was said there is heard here", || async {
        page.text("log").await.contains("From the other worker")
    })
    .await;

    first.end().await;
    page.until("offline", 6).await;
    page.screenshot("3-worker-gone").await;
    first.start_again().await;
    page.until("redis", 6).await;
    assert_eq!(page.text("session").await, session);
    page.say("The worker is back, and my count stands").await;
    page.until("redis", 7).await;
    assert_eq!(page.text("sequence").await, "7");
    page.screenshot("4-worker-back").await;
    assert_eq!(asked(&first, &session).await["message_count"], 7);
    page.close().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_while_redis_is_gone_knows_its_sessions_again() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap().to_owned();
    // Back with what it had, not with what came meanwhile.
    let options = ["--appendonly", "yes", "--appendfsync", "always", "--dir", &folder];
    let Some(mut redis) = Redis::start_with(options.map(str::to_owned).to_vec()).await else { return };
    let Some(page) = Browser::start(json!({})).await else { return };
    let mut first = Worker::start(&redis, data.path()).await;
    let second = Worker::start(&redis, data.path()).await;

    page.open(first.port).await;
    page.until("redis", 0).await;
    let session = page.text("session").await;
    for text in ["one", "two", "three"] {
        page.say(text).await;
    }
    page.until("redis", 3).await;
    redis.kill();
    page.until("memory", 3).await;
    page.say("four").await;
    page.say("five").await;
    page.until("memory", 5).await;

    // The other worker never saw the session: it says so, and lets one talk.
    page.open_beside(second.port).await;
    eventually("the session is not known there", || async { page.mode().await == "unknown" }).await;
    page.say("Can you hear me?").await;
    eventually("it is said", || async { page.text("log").await.contains("Can you hear me?") }).await;
    assert_eq!(page.text("count").await, "-");
    page.close_window().await;

    first.kill();
    page.until("offline", 5).await;
    first.start_again().await;
    page.until("memory", 5).await;
    assert_eq!(page.text("session").await, session);
    page.say("six").await;
    page.until("memory", 6).await;

    redis.start_again().await;
    page.until("redis", 6).await;
    page.until_text("waiting", "0 sessions").await;
    page.open_beside(second.port).await;
    page.until("redis", 6).await;
    assert_eq!(page.text("session").await, session);
    let before = asked(&second, &session).await["remaining_ttl_seconds"].as_f64().unwrap();
    assert!(before < 3600.0, "the outage gave it no time: {before}");
    page.click("extend").await;
    eventually("it lives on", || async {
        asked(&second, &session).await["remaining_ttl_seconds"].as_f64().unwrap() > before
    })
    .await;
    page.close().await;
}

//! What each route answers while Redis is away.

use std::time::Duration;

use squall_client::http::Route;
use squall_client::settings::{Fallback, Settings};
use squall_client::{Clock, Endpoint, Environment, SessionClient, TlsOptions};

use crate::redis::{MINUTE, Redis, Told, eventually, quick, told};
use crate::stage::{Data, Stage};

#[tokio::test]
async fn sessions_go_on_and_every_answer_says_how_far_it_got() {
    let Some(mut redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    for id in ["s", "t"] {
        stage.store.create(id, None, &Data::new(), MINUTE).await.unwrap();
    }
    redis.kill();
    stage.store.message("s").await.unwrap();
    let session = stage.ask("GET", "/api/sessions/s/").await.with(200);
    assert_eq!((&session["message_count"], &session["served_by"]), (&1.into(), &"local".into()));
    let ack = stage.post("/api/sessions/s/extend/", "{\"ttl_seconds\": 600}").await.with(202);
    assert_eq!((&ack["level"], &ack["served_by"]), (&"memory".into(), &"local".into()));
    assert_eq!(stage.ask("DELETE", "/api/sessions/t/delete/").await.with(202)["level"], "memory");
    // This instance ended it: it surely is no more.
    assert_eq!(stage.ask("GET", "/api/sessions/t/").await.problem(404), "no-session");
    redis.start_again().await;
    stage.told.clean().await;
    let left: i64 = redis.ask(&["PTTL", "session:s"]).await;
    assert!((500_000..=600_000).contains(&left), "{left}");
    assert_eq!(redis.ask::<i64>(&["EXISTS", "session:t"]).await, 0);
    let session = stage.ask("GET", "/api/sessions/s/").await.with(200);
    assert_eq!((&session["message_count"], &session["served_by"]), (&1.into(), &"redis".into()));
}

#[tokio::test]
async fn what_nobody_can_say_is_503_and_never_404() {
    let Some(mut redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    stage.store.create("s", None, &Data::new(), MINUTE).await.unwrap();
    redis.kill();
    for (method, path) in [
        ("GET", "/api/sessions/another/"),
        ("POST", "/api/sessions/another/extend/"),
        ("GET", "/api/sessions/"),
        ("DELETE", "/api/sessions/?pattern=*"),
    ] {
        let answer = stage.ask(method, path).await;
        assert_eq!(answer.problem(503), "unavailable", "{path}");
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|after| after >= 1), "{answer:?}");
        assert!(!answer.body.contains("127.0.0.1") && !answer.body.contains("os error"), "{answer:?}");
    }
    let status = stage.ask("GET", "/api/redis/status/").await.with(200);
    assert_eq!((&status["connected"], &status["session_type"]), (&false.into(), &"memory".into()));
    assert!(status["version"].is_null() && status["db_keys"].is_null(), "{status}");
    eventually("the breaker is open", || async {
        stage.ask("GET", "/api/redis/status/").await.json()["breaker"] == "open"
    })
    .await;
    let wait = stage.ask("GET", "/api/sessions/another/").await;
    assert_eq!((wait.problem(503), wait.header("retry-after")), ("unavailable".into(), "1"));
    stage.ask("GET", "/api/redis/configuration/").await.with(200);
    stage.ask("GET", "/openapi.json").await.with(200);
    assert_eq!(stage.ask("GET", "/metrics").await.status, 200);
}

#[tokio::test]
async fn health_is_503_while_redis_is_down_unless_it_is_asked_who_serves() {
    let Some(mut redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    stage.store.create("s", None, &Data::new(), MINUTE).await.unwrap();
    redis.kill();
    stage.store.message("s").await.unwrap();
    let health = stage.ask("GET", "/health").await;
    let (json, text) = (health.with(503), &health.body);
    assert_eq!((&json["status"], &json["session_type"]), (&"down".into(), &"memory".into()));
    assert!(json["why"].is_string() && !text.contains("127.0.0.1") && !text.contains("os error"), "{text}");
    assert_eq!(stage.ask("GET", "/health?serving=true").await.with(200)["status"], "down");
    redis.start_again().await;
    eventually("it is well", || async {
        let health = stage.ask("GET", "/health").await;
        // Degraded, while sessions wait to be brought, is fine for a load balancer.
        assert!(health.status == 200 || health.json()["status"] == "down", "{health:?}");
        health.status == 200 && health.json()["status"] == "healthy"
    })
    .await;
}

#[tokio::test]
async fn without_a_fallback_an_instance_serves_nobody_while_redis_is_away() {
    let Some(mut redis) = Redis::start().await else { return };
    let stage = Stage::start_with(&redis, &Settings { fallback: Fallback::None, ..quick() }).await;
    stage.store.create("s", None, &Data::new(), MINUTE).await.unwrap();
    redis.kill();
    assert_eq!(stage.ask("GET", "/health?serving=true").await.with(503)["session_type"], "none");
    for (method, path) in [("GET", "/api/sessions/s/"), ("DELETE", "/api/sessions/s/delete/")] {
        let answer = stage.ask(method, path).await;
        assert!(matches!(answer.status, 503 | 504), "{answer:?}");
    }
}

#[tokio::test]
async fn a_redis_that_stands_still_holds_no_request_for_long() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    stage.store.create("s", None, &Data::new(), MINUTE).await.unwrap();
    redis.pause();
    let session = stage.ask("GET", "/api/sessions/s/").await.with(200);
    assert_eq!(session["served_by"], "local");
    assert_eq!(stage.ask("GET", "/api/redis/status/").await.with(200)["connected"], false);
    assert_eq!(stage.ask("GET", "/api/sessions/another/").await.problem(503), "unavailable");
    redis.go_on();
}

#[tokio::test]
async fn what_lies_on_disk_says_so() {
    let Some(mut redis) = Redis::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment { disk: Some(folder.path().join("sessions")), ..Environment::new(1) };
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let endpoint = Endpoint::parse(&url, &quick().keepalive, &TlsOptions::default()).unwrap();
    let client = SessionClient::start(quick(), endpoint, environment).unwrap();
    let stage = Stage::with(Told { client, events: Default::default() }, |routes| routes).await;
    stage.store.create("s", None, &Data::new(), MINUTE).await.unwrap();
    redis.kill();
    let ack = stage.post("/api/sessions/s/extend/", "").await.with(202);
    assert_eq!(ack["level"], "disk");
}

#[tokio::test]
async fn an_instance_that_is_full_says_507() {
    let Some(mut redis) = Redis::start().await else { return };
    let mut settings = quick();
    settings.local.sessions = 2;
    let stage = Stage::start_with(&redis, &settings).await;
    stage.store.create("known", None, &Data::new(), MINUTE).await.unwrap();
    redis.kill();
    for id in ["a", "b"] {
        stage.store.create(id, None, &Data::new(), MINUTE).await.unwrap();
    }
    let answer = stage.ask("DELETE", "/api/sessions/another/delete/").await;
    assert_eq!((answer.problem(507), answer.header("retry-after")), ("full".into(), "1"));
}

#[tokio::test]
async fn no_answer_has_the_password_and_a_wrong_one_is_told_without_it() {
    let Some(redis) = Redis::start().await else { return };
    redis.ask::<()>(&["CONFIG", "SET", "requirepass", "right-password"]).await;
    let url = format!("redis://someone:secret-password@127.0.0.1:{}", redis.port);
    let settings = Settings { deadline: Duration::from_millis(300), ..quick() };
    let endpoint = Endpoint::parse(&url, &settings.keepalive, &TlsOptions::default()).unwrap();
    let client = told(endpoint, 1, &settings, Clock::system());
    let stage = Stage::with(client, |routes| routes.allow_clear().show_data()).await;
    let mut seen = 0;
    for route in Route::ALL {
        let path = route.path().replace("{id}", "s") + "?pattern=x";
        let path = if route == Route::Clear { path } else { path.replace("?pattern=x", "") };
        let answer = stage.ask(route.method().as_str(), &path).await;
        let text = format!("{answer:?}");
        for secret in ["secret-password", "right-password", "someone", "WRONGPASS", &redis.port.to_string()] {
            assert!(!text.contains(secret), "{route:?} says {secret}: {text}");
        }
        seen += usize::from(answer.status == 503);
    }
    assert!(seen >= 4, "only {seen} answered that nobody can say");
}

//! Each route while Redis is well.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use squall_client::http::{self, Access};
use squall_client::{Lookup, SessionStore};

use crate::redis::{MINUTE, Redis, quick};
use crate::stage::{Data, Stage, send, serve};

fn data() -> Data {
    Data::from([("n".to_owned(), 7)])
}

#[tokio::test]
async fn the_status_has_the_shape_that_the_workers_know() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    stage.store.create("s", None, &data(), MINUTE).await.unwrap();
    let answer = stage.ask("GET", "/api/redis/status/").await;
    let status = answer.with(200);
    assert_eq!(status["connected"], true);
    assert!(status["version"].as_str().unwrap().contains('.'), "{status}");
    assert!(status["used_memory"].as_u64().unwrap() > 100_000 && status["connected_clients"].is_u64());
    // The session, and what tells whether Redis forgets.
    assert_eq!(status["db_keys"], 2);
    assert_eq!((&status["session_type"], &status["session_prefix"]), (&"redis".into(), &"session:".into()));
    assert_eq!((&status["breaker"], &status["dirty"]), (&"closed".into(), &0.into()));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_session_tells_what_is_known_of_it_and_its_data_only_when_asked() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    let before = stage.told.client.unix_ms();
    stage.store.create("s/1", Some("alice"), &data(), MINUTE).await.unwrap();
    stage.store.message("s/1").await.unwrap();
    stage.store.message("s/1").await.unwrap();
    stage.store.disconnect("s/1").await.unwrap();
    let session = stage.ask("GET", "/api/sessions/s%2F1/").await.with(200);
    assert_eq!((&session["id"], &session["user"]), (&"s/1".into(), &"alice".into()));
    assert_eq!((&session["message_count"], &session["message_sequence"]), (&2.into(), &2.into()));
    assert_eq!((&session["served_by"], session.get("data")), (&"redis".into(), None));
    let at = |name: &str| session[name].as_u64().unwrap_or_else(|| panic!("{name}: {session}"));
    assert!(at("created_unix_ms") <= at("last_activity_unix_ms"));
    assert!(at("disconnected_unix_ms").abs_diff(at("last_activity_unix_ms")) < 1_000, "{session}");
    assert!(at("created_unix_ms").abs_diff(before) < 5_000, "{session}, {before}");
    let left = session["remaining_ttl_seconds"].as_f64().unwrap();
    assert!((50.0..60.0).contains(&left) && session["ttl_seconds"] == 60.0, "{session}");
    let shown = stage.ask("GET", "/api/sessions/s%2F1?data=true").await.with(200);
    assert_eq!(shown["data"]["n"], 7);
    assert_eq!(stage.ask("GET", "/api/sessions/nobody/").await.problem(404), "no-session");
    let other = Stage::with(redis.session_client(2, &quick()), |routes| routes).await;
    assert_eq!(other.ask("GET", "/api/sessions/s%2F1/?data=true").await.problem(400), "bad-request");
}

#[tokio::test]
async fn a_session_is_extended_by_hand_and_ended() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::with(redis.session_client(1, &quick()), |it| it.session_ttl(10 * MINUTE)).await;
    stage.store.create("s", None, &data(), MINUTE).await.unwrap();
    let ack = stage.post("/api/sessions/s/extend/", "{\"ttl_seconds\": 120}").await.with(200);
    assert_eq!(
        (&ack["id"], &ack["level"], &ack["served_by"]),
        (&"s".into(), &"redis".into(), &"redis".into())
    );
    assert_eq!(ack["ttl_seconds"], 120.0);
    let left: i64 = redis.ask(&["PTTL", "session:s"]).await;
    assert!((110_000..=120_000).contains(&left), "{left}");
    for body in ["", "{}"] {
        assert_eq!(stage.post("/api/sessions/s/extend", body).await.with(200)["ttl_seconds"], 600.0);
    }
    let session = stage.ask("GET", "/api/sessions/s/").await.with(200);
    assert_eq!((&session["ttl_seconds"], &session["message_count"]), (&600.0.into(), &0.into()));
    assert_eq!(stage.post("/api/sessions/nobody/extend/", "").await.problem(404), "no-session");
    let ack = stage.ask("DELETE", "/api/sessions/s/delete/").await.with(200);
    assert_eq!((&ack["level"], ack.get("ttl_seconds")), (&"redis".into(), None));
    assert_eq!(stage.ask("GET", "/api/sessions/s/").await.problem(404), "no-session");
    assert!(matches!(stage.store.get("s").await, Ok(Lookup::Absent { .. })));
    // It is fine if there is none.
    stage.ask("DELETE", "/api/sessions/s/delete").await.with(200);
    assert_eq!(stage.post("/api/sessions/s/extend/", "").await.problem(404), "no-session");
}

#[tokio::test]
async fn sessions_are_counted_and_cleared_where_that_is_allowed() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    for id in ["a1", "a2", "b1"] {
        stage.store.create(id, None, &data(), MINUTE).await.unwrap();
    }
    assert_eq!(stage.ask("GET", "/api/sessions/").await.with(200)["count"], 3);
    let guarded = Stage::with(redis.session_client(2, &quick()), |routes| routes).await;
    let refused = guarded.ask("DELETE", "/api/sessions/?pattern=*").await;
    assert_eq!(refused.problem(405), "method-not-allowed");
    assert_eq!(refused.header("allow"), "GET,HEAD");
    // What to end is never guessed.
    assert_eq!(stage.ask("DELETE", "/api/sessions/").await.problem(400), "bad-request");
    let cleared = stage.ask("DELETE", "/api/sessions/?pattern=a*").await.with(200);
    assert_eq!((&cleared["cleared"], &cleared["level"]), (&2.into(), &"redis".into()));
    assert_eq!(stage.ask("GET", "/api/sessions").await.with(200)["count"], 1);
    // A Redis that takes no writes has not cleared anything.
    redis.ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    let cleared = stage.ask("DELETE", "/api/sessions/?pattern=*").await.with(202);
    assert_eq!((&cleared["cleared"], &cleared["level"]), (&1.into(), &"memory".into()));
    redis.ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    stage.told.clean().await;
    assert_eq!(redis.ask::<i64>(&["EXISTS", "session:b1"]).await, 0);
}

#[tokio::test]
async fn the_configuration_has_every_setting() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    let answer = stage.ask("GET", "/api/redis/configuration/").await.with(200);
    assert_eq!(answer["settings"], serde_json::to_value(quick()).unwrap());
    assert_eq!(answer["settings"]["breaker"]["cool_down"], "200ms");
    assert_eq!(answer["session_ttl_seconds"], 3600.0);
}

#[tokio::test]
async fn health_and_metrics_are_as_the_client_has_them() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    stage.store.create("s", None, &data(), Duration::from_secs(9)).await.unwrap();
    let health = stage.ask("GET", "/health").await.with(200);
    assert_eq!((&health["status"], &health["client"]["local_sessions"]), (&"healthy".into(), &1.into()));
    let metrics = stage.ask("GET", "/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"), "{metrics:?}");
    assert!(metrics.body.contains("local_sessions 1\n") && metrics.body.ends_with("# EOF\n"), "{metrics:?}");
    // A probe may ask for the head alone.
    let head = stage.ask("HEAD", "/health").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_service_mounts_the_routes_beside_its_own_or_under_a_path() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &quick());
    let store: SessionStore<Data> = SessionStore::over(told.client.clone());
    let routes = || http::router(store.clone(), Access::open()).build();
    let service = Router::new()
        .route("/", get(|| async { "the service" }))
        .merge(routes())
        .nest("/admin", routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "not of the service") });
    let port = serve(service).await;
    for path in ["/api/sessions/s/", "/admin/api/sessions/s/"] {
        assert_eq!(send(port, "GET", path, &[], b"").await.problem(404), "no-session", "{path}");
        assert_eq!(send(port, "PUT", path, &[], b"").await.problem(405), "method-not-allowed", "{path}");
    }
    assert_eq!(send(port, "GET", "/", &[], b"").await.body, "the service");
    assert_eq!(send(port, "GET", "/nowhere", &[], b"").await.body, "not of the service");
    // No metrics were given.
    assert_eq!(send(port, "GET", "/metrics", &[], b"").await.body, "not of the service");
}

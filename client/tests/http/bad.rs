//! Requests that make no sense: a clear answer, never a panic, never a hang.

use crate::redis::{MINUTE, Redis, quick};
use crate::stage::{Data, Stage};

#[tokio::test]
async fn ids_that_are_none_are_refused_and_strange_ones_are_ids() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    let long = "x".repeat(10_000);
    for id in ["%00", "a%0Ab", "%1b%5B2J", "%7F", "%C2%85", "%FF", "%ED%A0%80", &long, "a%7D", ""] {
        for (method, rest) in [("GET", ""), ("POST", "extend/"), ("DELETE", "delete/")] {
            let answer = stage.ask(method, &format!("/api/sessions/{id}/{rest}")).await;
            assert_eq!(answer.problem(400), "bad-request", "{method} {id}");
        }
    }
    for (path, id) in [
        ("a%2Fb", "a/b"),
        ("..", ".."),
        ("%2E%2E%2Fredis%2Fstatus", "../redis/status"),
        ("%F0%9F%A6%80%20%3F", "🦀 ?"),
        ("extend", "extend"),
        ("%2525", "%25"),
    ] {
        assert_eq!(stage.ask("GET", &format!("/api/sessions/{path}/")).await.problem(404), "no-session");
        stage.store.create(id, None, &Data::new(), MINUTE).await.unwrap();
        assert_eq!(stage.ask("GET", &format!("/api/sessions/{path}/")).await.with(200)["id"], id);
    }
    let most = "x".repeat(1024);
    assert_eq!(stage.ask("GET", &format!("/api/sessions/{most}/")).await.problem(404), "no-session");
}

#[tokio::test]
async fn a_time_to_live_that_is_none_is_refused_with_what_it_may_be() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    stage.store.create("s", None, &Data::new(), MINUTE).await.unwrap();
    for ttl in ["0", "-5", "0.5", "31536001", "1e300", "-0.0"] {
        let answer = stage.post("/api/sessions/s/extend/", &format!("{{\"ttl_seconds\": {ttl}}}")).await;
        assert_eq!(answer.problem(400), "bad-request", "{ttl}");
        assert!(answer.body.contains("from 1 to 31536000"), "{answer:?}");
    }
    for (body, says) in [
        ("{\"ttl_seconds\": \"60\"}", "line 1 column"),
        ("{\n\"ttl_seconds\": 1e999}", "line 2 column"),
        ("{\"ttl\": 60}", "ttl_seconds"),
        ("[60", "line 1 column"),
        ("nonsense", "line 1 column 2"),
        ("{} {}", "trailing"),
        ("\u{0}", "line 1 column 1"),
    ] {
        let answer = stage.post("/api/sessions/s/extend/", body).await;
        assert_eq!(answer.problem(400), "bad-request", "{body}");
        assert!(answer.body.contains(says), "{body}: {answer:?}");
    }
    let left: i64 = redis.ask(&["PTTL", "session:s"]).await;
    assert!(left <= 60_000, "nothing of it was done: {left}");
}

#[tokio::test]
async fn bodies_that_are_large_or_of_another_kind_or_cut_off_are_refused() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    stage.store.create("s", None, &Data::new(), MINUTE).await.unwrap();
    for size in [4097, 10_000_000] {
        let body = " ".repeat(size);
        assert_eq!(stage.post("/api/sessions/s/extend/", &body).await.problem(413), "too-large");
    }
    for header in ["Content-Type: application/x-www-form-urlencoded", "Content-Type: text/plain", "X: y"] {
        let answer = stage.send("POST", "/api/sessions/s/extend/", &[header], b"{\"ttl_seconds\": 60}").await;
        assert_eq!(answer.problem(415), "not-json", "{header}");
    }
    let typed = ["content-type: Application/JSON; charset=utf-8"];
    stage.send("POST", "/api/sessions/s/extend/", &typed, b"{\"ttl_seconds\": 60}").await.with(200);
    // What no route reads does no harm.
    stage.send("DELETE", "/api/sessions/s/delete/", &[], b"whatever").await.with(200);
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::with(redis.session_client(1, &quick()), |routes| routes).await;
    for (method, path, allow) in [
        ("POST", "/api/redis/status/", "GET,HEAD"),
        ("PUT", "/api/sessions/s/", "GET,HEAD"),
        ("DELETE", "/api/sessions/s", "GET,HEAD"),
        ("GET", "/api/sessions/s/extend/", "POST"),
        ("POST", "/api/sessions/s/delete/", "DELETE"),
        ("OPTIONS", "/api/sessions/", "GET,HEAD"),
        ("BREW", "/health", "GET,HEAD"),
    ] {
        let answer = stage.ask(method, path).await;
        assert_eq!(answer.problem(405), "method-not-allowed", "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    let head = stage.ask("HEAD", "/api/sessions/nobody/").await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
    assert_eq!(stage.ask("GET", "/api/sessions//").await.problem(400), "bad-request", "the id is empty");
    for path in ["/api/sessions/a/b/c/", "/api", "/api/redis/status//", "/"] {
        let answer = stage.ask("GET", path).await;
        // The service has it or has it not; no session is meant.
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn options_that_are_none_are_refused() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    for path in ["/api/sessions/s/?data=perhaps", "/api/sessions/s/?date=true", "/health?serving"] {
        assert_eq!(stage.ask("GET", path).await.problem(400), "bad-request", "{path}");
    }
}

#[tokio::test]
async fn what_is_damaged_is_told_as_such_and_can_be_ended() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    redis.ask::<()>(&["SET", "session:s", "not ours"]).await;
    assert_eq!(stage.ask("GET", "/api/sessions/s/").await.problem(500), "damaged");
    assert_eq!(stage.ask("DELETE", "/api/sessions/s/delete/").await.with(200)["level"], "redis");
    assert_eq!(stage.ask("GET", "/api/sessions/s/").await.problem(404), "no-session");
}

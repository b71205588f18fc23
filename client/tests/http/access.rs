//! Who may use the routes.

use axum::http::request::Parts;
use squall_client::http::{Access, Permission, Route, Token};

use crate::redis::{Redis, quick};
use crate::stage::{Stage, TOKEN, send};

const OTHER: &str = "fedcba9876543210fedcba9876543210";

/// What every route answers to a request that shows these headers, by route.
async fn statuses(stage: &Stage, headers: &[&str]) -> Vec<(Route, u16)> {
    let mut found = Vec::new();
    for route in Route::ALL {
        let path = route.path().replace("{id}", "s");
        let path = if route == Route::Clear { format!("{path}?pattern=none") } else { path };
        let answer = send(stage.port, route.method().as_str(), &path, headers, b"").await;
        found.push((route, answer.status));
    }
    found
}

#[tokio::test]
async fn without_a_token_every_route_is_closed_but_those_that_were_opened() {
    let Some(redis) = Redis::start().await else { return };
    let closed = Stage::with(redis.session_client(1, &quick()), |routes| routes.allow_clear()).await;
    for (route, status) in statuses(&closed, &[]).await {
        assert_eq!(status, 401, "{route:?}");
    }
    let public = [Route::Health, Route::Metrics];
    let some =
        Stage::with(redis.session_client(2, &quick()), |routes| routes.allow_clear().public(public)).await;
    for (route, status) in statuses(&some, &[]).await {
        assert_eq!(status, if public.contains(&route) { 200 } else { 401 }, "{route:?}");
    }
}

#[tokio::test]
async fn each_of_the_tokens_lets_pass_and_nothing_like_them() {
    let Some(redis) = Redis::start().await else { return };
    let access = Access::bearer([TOKEN, OTHER].map(|text| Token::new(text).unwrap()));
    let stage = Stage::with_access(redis.session_client(1, &quick()), access, |routes| routes).await;
    let path = "/api/redis/status/";
    for header in [format!("Authorization: Bearer {TOKEN}"), format!("authorization: bearer {OTHER}")] {
        send(stage.port, "GET", path, &[&header], b"").await.with(200);
    }
    let nothing = send(stage.port, "GET", path, &[], b"").await;
    assert_eq!(
        (nothing.problem(401), nothing.header("www-authenticate")),
        ("unauthenticated".into(), "Bearer")
    );
    let (cut, longer) = (&TOKEN[1..], format!("{TOKEN}0"));
    for header in [format!("Bearer {cut}"), format!("Bearer {longer}"), "Bearer ".to_owned()] {
        let answer = send(stage.port, "GET", path, &[&format!("Authorization: {header}")], b"").await;
        assert_eq!(answer.problem(401), "unauthenticated", "{header}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
    }
    for header in [format!("Basic {TOKEN}"), TOKEN.to_owned(), "Bearer".to_owned()] {
        let answer = send(stage.port, "GET", path, &[&format!("Authorization: {header}")], b"").await;
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{header}");
    }
    let twice = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(send(stage.port, "GET", path, &[&twice, &twice], b"").await.status, 401);
}

#[tokio::test]
async fn with_no_token_at_all_nobody_may() {
    let Some(redis) = Redis::start().await else { return };
    let stage =
        Stage::with_access(redis.session_client(1, &quick()), Access::bearer([]), |routes| routes).await;
    let header = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(send(stage.port, "GET", "/health", &[&header], b"").await.status, 401);
}

#[tokio::test]
async fn a_router_that_was_opened_asks_nobody() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &quick());
    let stage = Stage::with_access(told, Access::open(), |routes| routes.allow_clear()).await;
    for (route, status) in statuses(&stage, &[]).await {
        let absent = matches!(route, Route::Session | Route::Extend);
        assert_eq!(status, if absent { 404 } else { 200 }, "{route:?}");
    }
}

#[tokio::test]
async fn an_authoriser_of_ones_own_decides_by_the_request() {
    let Some(redis) = Redis::start().await else { return };
    let access = Access::custom(|parts: Parts| async move {
        // As one that asks somebody else does.
        tokio::task::yield_now().await;
        match parts.headers.get("x-user").and_then(|user| user.to_str().ok()) {
            None => Permission::Unauthenticated,
            Some("admin") => Permission::Granted,
            Some(_) if parts.method == "GET" => Permission::Granted,
            Some(_) => Permission::Denied,
        }
    });
    let stage = Stage::with_access(redis.session_client(1, &quick()), access, |routes| routes).await;
    let ask = |method: &'static str, path: &'static str, headers: &'static [&'static str]| {
        send(stage.port, method, path, headers, b"")
    };
    let nobody = ask("GET", "/api/sessions/", &[]).await;
    assert_eq!(
        (nobody.problem(401), nobody.header("www-authenticate")),
        ("unauthenticated".into(), "Bearer")
    );
    ask("GET", "/api/sessions/", &["X-User: bob"]).await.with(200);
    assert_eq!(ask("DELETE", "/api/sessions/s/delete/", &["X-User: bob"]).await.problem(403), "denied");
    ask("DELETE", "/api/sessions/s/delete/", &["X-User: admin"]).await.with(200);
}

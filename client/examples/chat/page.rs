//! The page, and the cookie that leads back to one's session, on whichever worker.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::talk::talk;
use crate::{Worker, random};

/// The page and its WebSocket.
pub(crate) fn routes(worker: Arc<Worker>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/page.css", get(|| async { file("text/css; charset=utf-8", CSS) }))
        .route("/page.js", get(|| async { file("text/javascript; charset=utf-8", JS) }))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .route("/talk", get(websocket))
        .with_state(worker)
}

/// The page. Who has no session yet gets one.
async fn page(State(worker): State<Arc<Worker>>, headers: HeaderMap) -> Response {
    let mut response = file("text/html; charset=utf-8", HTML);
    if session_of(&headers).is_some() {
        return response;
    }
    let Ok(id) = random::text() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    // If not even memory takes it, the WebSocket tries again.
    let _welcomed = worker.welcome(&id).await;
    // Not to be read by scripts, nor sent by other sites. Every port of this host gets it: that is how workers share sessions.
    let cookie = format!("{NAME}={id}; Path=/; HttpOnly; SameSite=Strict");
    if let Ok(cookie) = cookie.parse() {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

async fn websocket(
    State(worker): State<Arc<Worker>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    if !is_same_site(request.headers()) {
        return (StatusCode::FORBIDDEN, "this page is not of this site").into_response();
    }
    let Some(id) = session_of(request.headers()) else {
        return (StatusCode::BAD_REQUEST, "no session: load the page first").into_response();
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    upgrade.max_message_size(LARGEST).on_upgrade(move |socket| talk(worker, socket, id))
}

/// The session that the cookie names, if it is one of ours.
fn session_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut named = cookies.flat_map(|text| text.split(';')).filter_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == NAME).then_some(value)
    });
    let ours = |id: &&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    named.find(ours).map(str::to_owned)
}

/// Browsers let any page open a WebSocket anywhere, with cookies; they say which page it was. What says nothing is no browser.
fn is_same_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let from = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    from.is_some() && from == headers.get(HOST).and_then(|host| host.to_str().ok())
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}

const NAME: &str = "chat_session";
/// Bytes of the largest message.
const LARGEST: usize = 4096;
const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

//! A request to the routes, and what comes back.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::subject::OperationError;

/// What lets one in. It guards nothing but a run.
pub(super) const TOKEN: &str = "whoever-knows-this-may-look-at-a-run";

/// What came back.
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// The body; null if it is no JSON.
    pub(super) body: Value,
}

impl Answer {
    /// The kind of its error; empty if it is none.
    pub(super) fn kind(&self) -> &str {
        self.body["error"]["kind"].as_str().unwrap_or_default()
    }
}

/// Sends a request, with the token or without.
pub(super) async fn ask(
    routes: &Router,
    method: &Method,
    path: &str,
    body: &str,
    with_token: bool,
) -> Result<Answer, OperationError> {
    let mut request = Request::builder().method(method).uri(path);
    if with_token {
        request = request.header(AUTHORIZATION, format!("Bearer {TOKEN}"));
    }
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Body::from(body.to_owned())).map_err(|error| unasked(&error))?;
    let response = match routes.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.map_err(|error| unasked(&error))?;
    Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
}

fn unasked(error: &dyn std::error::Error) -> OperationError {
    OperationError { code: "internal".to_owned(), definite: false, text: error.to_string() }
}

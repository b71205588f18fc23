//! Answers as JSON.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use serde::Serialize;

/// JSON with a status.
pub(super) fn json(status: StatusCode, answer: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(answer) {
        Ok(bytes) => text(status, "application/json", bytes),
        // None of our answers has what JSON cannot say; if one had, an empty error says less than a panic, and hurts less.
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "application/json", Vec::new()),
    }
}

/// A body of a certain type.
pub(super) fn text(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

//! The routes about Redis and the client.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::answers::{ConfigurationAnswer, HealthOptions, StatusAnswer, seconds};
use super::problem::Problem;
use super::reply::{json, text};
use super::request::Options;
use super::{Data, Shared};
use crate::health_check::{Health, SessionType, Status};
use crate::observe::metrics::CONTENT_TYPE;

pub(super) async fn status<T: Data>(State(shared): State<Arc<Shared<T>>>) -> Response {
    json(StatusCode::OK, &StatusAnswer::of(shared.store.client().health_check().await))
}

pub(super) async fn configuration<T: Data>(
    State(shared): State<Arc<Shared<T>>>,
) -> Result<Response, Problem> {
    let settings = serde_json::to_value(&*shared.store.client().settings());
    let settings = settings.map_err(|_| Problem::damaged("the settings cannot be written as JSON"))?;
    let session_ttl_seconds = seconds(shared.session_ttl);
    Ok(json(StatusCode::OK, &ConfigurationAnswer { settings, session_ttl_seconds }))
}

pub(super) async fn health<T: Data>(
    State(shared): State<Arc<Shared<T>>>,
    Options(options): Options<HealthOptions>,
) -> Response {
    let health = shared.store.client().health_check().await;
    let fine = match (health.status, health.session_type) {
        (Status::Healthy | Status::Degraded, _) => true,
        (Status::Down, SessionType::Memory) => options.serving,
        (Status::Down, SessionType::Redis | SessionType::None) => false,
    };
    let status = if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &discreet(health))
}

pub(super) async fn metrics<T: Data>(State(shared): State<Arc<Shared<T>>>) -> Response {
    let figures = shared.metrics.as_ref().map(|metrics| metrics.text(shared.store.client()));
    text(StatusCode::OK, CONTENT_TYPE, figures.unwrap_or_default())
}

pub(super) async fn description<T: Data>(State(shared): State<Arc<Shared<T>>>) -> Response {
    text(StatusCode::OK, "application/json", shared.description.clone())
}

/// Without what Redis or the network said: that may name hosts, users and files.
fn discreet(health: Health) -> Health {
    let why = match health.status {
        Status::Down if health.client.breaker == "open" => {
            Some("redis did not answer lately: the breaker is open".to_owned())
        }
        Status::Down => Some("redis does not answer".to_owned()),
        Status::Healthy | Status::Degraded => health.why,
    };
    Health { why, ..health }
}

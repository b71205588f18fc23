//! The routes about sessions.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::answers::{
    AckAnswer, ClearAnswer, ClearOptions, CountAnswer, ExtendRequest, SessionAnswer, SessionOptions,
};
use super::problem::Problem;
use super::reply::json;
use super::request::{Id, Json, Options};
use super::{Data, Shared};
use crate::answer::{Ack, Cleared, Level, Lookup};

pub(super) async fn session<T: Data>(
    State(shared): State<Arc<Shared<T>>>,
    Id(id): Id,
    Options(options): Options<SessionOptions>,
) -> Result<Response, Problem> {
    if options.data && !shared.shows_data {
        return Err(Problem::bad(
            "this service does not show what it keeps in sessions: ask without data=true",
        ));
    }
    let session = match shared.store.get(&id).await? {
        Lookup::Found { session, .. } => session,
        Lookup::Absent { .. } => return Err(Problem::no_session()),
        Lookup::Unknown { because } => return Err(Problem::unavailable(&because)),
    };
    let data = if options.data {
        let data = serde_json::to_value(&session.data);
        Some(data.map_err(|_| Problem::damaged("the session's data cannot be written as JSON"))?)
    } else {
        None
    };
    let given = shared.store.client().given_ttl(&id);
    Ok(json(StatusCode::OK, &SessionAnswer::of(session, given, data)))
}

pub(super) async fn extend<T: Data>(
    State(shared): State<Arc<Shared<T>>>,
    Id(id): Id,
    Json(asked): Json<ExtendRequest>,
) -> Result<Response, Problem> {
    let ttl = match asked.and_then(|asked| asked.ttl_seconds) {
        None => shared.session_ttl,
        Some(seconds) if TTL_SECONDS.contains(&seconds) => Duration::from_secs_f64(seconds),
        Some(seconds) => {
            let (least, most) = TTL_SECONDS.into_inner();
            return Err(Problem::bad(format!("ttl_seconds is {seconds}; it must be from {least} to {most}")));
        }
    };
    let ack = shared.store.extend(&id, ttl).await?;
    Ok(acknowledged(id, ack, Some(ttl)))
}

pub(super) async fn delete<T: Data>(
    State(shared): State<Arc<Shared<T>>>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let ack = shared.store.destroy(&id).await?;
    Ok(acknowledged(id, ack, None))
}

pub(super) async fn count<T: Data>(State(shared): State<Arc<Shared<T>>>) -> Result<Response, Problem> {
    let count = shared.store.client().count().await?;
    Ok(json(StatusCode::OK, &CountAnswer { count }))
}

pub(super) async fn clear<T: Data>(
    State(shared): State<Arc<Shared<T>>>,
    Options(options): Options<ClearOptions>,
) -> Result<Response, Problem> {
    let Cleared { count, level } = shared.store.client().clear(&options.pattern).await?;
    Ok(json(taken(level), &ClearAnswer { cleared: count, level }))
}

fn acknowledged(id: String, ack: Ack, ttl: Option<Duration>) -> Response {
    json(taken(ack.level), &AckAnswer::of(id, ack, ttl))
}

/// 200 once Redis has it, 202 while it waits to be brought there.
fn taken(level: Level) -> StatusCode {
    match level {
        Level::Redis | Level::Replicas => StatusCode::OK,
        Level::Memory | Level::Disk => StatusCode::ACCEPTED,
    }
}

/// From a second to a year.
const TTL_SECONDS: RangeInclusive<f64> = 1.0..=31_536_000.0;

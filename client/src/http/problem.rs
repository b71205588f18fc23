//! What is answered when a request cannot be done: a status that tells the truth, and JSON that says why.
//!
//! Messages are made here, never taken from what Redis, a file or the network said: those may hold names of hosts, users and
//! files.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::json;
use crate::answer::SessionError;
use crate::error::CallError;

/// An answer that is none.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    kind: Kind,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// What is wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// There surely is no such session.
    NoSession,
    /// The request makes no sense.
    BadRequest,
    /// It does not show who asks.
    Unauthenticated,
    /// Whoever asks may not.
    Denied,
    /// The path has no such method.
    MethodNotAllowed,
    /// The body did not come in time.
    SlowBody,
    /// The body is too large.
    TooLarge,
    /// The body is no JSON, by its own word.
    NotJson,
    /// Nobody can say just now.
    Unavailable,
    /// Too much is going on.
    Overloaded,
    /// There is no room for what Redis does not know yet.
    Full,
    /// Redis did not answer in time: it may have happened.
    Uncertain,
    /// Redis refuses.
    Refused,
    /// What Redis holds under that id is no session.
    Damaged,
}

/// The body of an answer that is none.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorAnswer {
    error: Error,
}

#[derive(Serialize, ToSchema)]
struct Error {
    kind: Kind,
    /// For people, with the cure.
    message: String,
}

impl Problem {
    fn new(status: StatusCode, kind: Kind, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), header: None }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Kind::BadRequest, message)
    }

    pub(super) fn unauthenticated(shown: bool) -> Self {
        let (message, challenge) = match shown {
            true => ("the token is not one of those that may", "Bearer error=\"invalid_token\""),
            false => ("show who you are, as in `Authorization: Bearer TOKEN`", "Bearer"),
        };
        Self::new(StatusCode::UNAUTHORIZED, Kind::Unauthenticated, message)
            .with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    pub(super) fn denied() -> Self {
        Self::new(StatusCode::FORBIDDEN, Kind::Denied, "you may not do this here")
    }

    pub(super) fn method() -> Self {
        let message = "this path has no such method; the header Allow has those it has";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Kind::MethodNotAllowed, message)
    }

    pub(super) fn slow_body(within: Duration) -> Self {
        let message = format!("the body did not come within {} s", within.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, Kind::SlowBody, message)
    }

    pub(super) fn large_body(most: usize) -> Self {
        let message = format!("the body is larger than {most} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Kind::TooLarge, message)
    }

    pub(super) fn not_json() -> Self {
        let message = "the body must be JSON, with the header Content-Type: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Kind::NotJson, message)
    }

    pub(super) fn no_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, Kind::NoSession, "there is no such session")
    }

    pub(super) fn damaged(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Kind::Damaged, message)
    }

    /// Redis cannot be asked, and this instance does not know.
    pub(super) fn unavailable(because: &CallError) -> Self {
        let why = because.error_type();
        let message = format!("redis cannot be asked just now ({why}), and this instance does not know");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Kind::Unavailable, message).retry(because)
    }

    fn call(error: &CallError) -> Self {
        let why = error.error_type();
        match error {
            CallError::Overloaded => {
                let message = "too many calls wait for redis";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, Kind::Overloaded, message).retry(error)
            }
            CallError::Refused(_) => {
                Self::new(StatusCode::BAD_GATEWAY, Kind::Refused, "redis refuses; its log may say why")
            }
            CallError::Timeout | CallError::Broken(_) => {
                let message = format!("redis did not answer ({why}): it may have happened");
                Self::new(StatusCode::GATEWAY_TIMEOUT, Kind::Uncertain, message)
            }
            CallError::Rejected { .. } | CallError::Connect(_) | CallError::Tls(_) | CallError::Auth(_) => {
                Self::undone(error)
            }
            CallError::TooLate | CallError::NotNow(_) | CallError::Closed => Self::undone(error),
        }
    }

    fn undone(error: &CallError) -> Self {
        let message = format!("redis cannot be asked just now ({}); nothing was done", error.error_type());
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Kind::Unavailable, message).retry(error)
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    fn retry(self, because: &CallError) -> Self {
        let after = match because {
            CallError::Rejected { retry_after } => *retry_after,
            _ => Duration::ZERO,
        };
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.with(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NoSession => Self::no_session(),
            SessionError::Unavailable(because) => Self::unavailable(&because),
            SessionError::Full => {
                let message = "this instance has no room for more that redis does not know yet";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, Kind::Full, message)
                    .with(RETRY_AFTER, HeaderValue::from_static("1"))
            }
            SessionError::TooLarge { .. } => {
                let message = "the session is larger than all that this instance may keep";
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, Kind::TooLarge, message)
            }
            SessionError::Invalid(why) => Self::bad(why),
            SessionError::Sealed(why) => Self::damaged(&why.to_string()),
            SessionError::Corrupt(_) => {
                Self::damaged("what redis holds under this id is no session of this service, or is damaged")
            }
            SessionError::Call(error) => Self::call(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ErrorAnswer { error: Error { kind: self.kind, message: self.message } };
        let mut response = json(self.status, &body);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

//! What requests bring: an id, a body.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;

/// The id of a session, from the path.
pub(super) struct Id(pub(super) String);

/// What stands behind the question mark.
pub(super) struct Options<O>(pub(super) O);

/// A body of JSON; `None` if it is empty.
pub(super) struct Json<B>(pub(super) Option<B>);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::bad("the id is no text in UTF-8"));
        };
        // The client takes them; in a URL they are a mistake or an attack.
        if id.chars().any(char::is_control) {
            return Err(Problem::bad("the id has control characters"));
        }
        Ok(Self(id))
    }
}

impl<S: Send + Sync, O: DeserializeOwned> FromRequestParts<S> for Options<O> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<O>::from_request_parts(parts, state).await {
            Ok(Query(options)) => Ok(Self(options)),
            Err(error) => Err(Problem::bad(format!("behind the question mark: {}", error.body_text()))),
        }
    }
}

impl<S: Send + Sync, B: DeserializeOwned> FromRequest<S> for Json<B> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let says_json = says_json(request.headers());
        let body = match timeout(BODY_WITHIN, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => body,
            Ok(Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)))) => {
                return Err(Problem::large_body(BODY_MOST));
            }
            Ok(Err(_)) => return Err(Problem::bad("the body ended before it was whole")),
            Err(_) => return Err(Problem::slow_body(BODY_WITHIN)),
        };
        if body.is_empty() {
            return Ok(Self(None));
        }
        if !says_json {
            return Err(Problem::not_json());
        }
        let read = serde_json::from_slice(&body);
        read.map(|read| Self(Some(read))).map_err(|error| Problem::bad(format!("the body: {error}")))
    }
}

fn says_json(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = said.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

/// The largest body, in bytes.
pub(super) const BODY_MOST: usize = 4096;
const BODY_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use http_body::Frame;

    use super::*;

    /// A body that is announced and never comes.
    struct Never;

    impl http_body::Body for Never {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_not_waited_for() {
        let read = Json::<u32>::from_request(Request::new(Body::new(Never)), &()).await;
        let answer = read.err().expect("there is no body").into_response();
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    }
}

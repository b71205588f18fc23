//! What an interface of the reference client must do for a load.

use std::time::Duration;

use bytes::Bytes;

use crate::load::{Kind, Several, user_of};
use crate::subject::{BoxFuture, Done, OperationError, Request};

/// What became of an operation.
pub(super) type Reply = Result<Done, OperationError>;

/// An interface of the client. It carries out the operations that `Through::has` says that it has.
pub(super) trait Interface: Send + Sync {
    /// Carries out an operation.
    fn perform(&self, request: Request) -> BoxFuture<'_, Reply>;
    /// Carries out a request on several sessions: those that `Through::has_many` says that it has.
    fn perform_several(&self, several: Several) -> BoxFuture<'_, Vec<Reply>> {
        let error = not_offered(several.what.name(), "this interface");
        Box::pin(std::future::ready(vec![Err(error); several.sessions.len()]))
    }
}

/// An operation as the client wants it.
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) user: String,
    pub(super) value: Bytes,
    pub(super) ttl: Duration,
}

impl From<Request> for Asked {
    fn from(request: Request) -> Self {
        Self {
            kind: request.kind,
            id: request.session.to_string(),
            user: user_of(request.session),
            value: request.value.unwrap_or_default(),
            ttl: Duration::from_millis(request.ttl_ms.unwrap_or_default()),
        }
    }
}

/// The error of a kind of operation that an interface does not have. A scenario that asks for one is never run; a flaw may.
pub(super) fn not_offered(name: &str, by: &str) -> OperationError {
    let text = format!("{by} has no {name}");
    OperationError { code: "invalid".to_owned(), definite: true, text }
}

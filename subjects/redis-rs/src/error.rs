//! What an error of redis-rs says about the operation: whether it surely did not happen, and never will.

use redis::{ErrorKind, RedisError};
use squall::subject::OperationError;

/// An error of redis-rs in Squall's words.
pub(crate) fn told(error: &RedisError) -> OperationError {
    let (code, definite) = class(error);
    OperationError { code: code.to_owned(), definite, text: error.to_string() }
}

/// There is no such session; Redis has said so.
pub(crate) fn no_session() -> OperationError {
    of("no-session", "there is no such session")
}

/// The instance was shut down before.
pub(crate) fn closed() -> OperationError {
    of("unavailable", "it was shut down")
}

fn of(code: &str, text: &str) -> OperationError {
    OperationError { code: code.to_owned(), definite: true, text: text.to_owned() }
}

fn class(error: &RedisError) -> (&'static str, bool) {
    // Redis itself has refused.
    if error.code().is_some() {
        return ("internal", true);
    }
    match error.kind() {
        // There was no connection, so nothing was sent.
        ErrorKind::Io if error.is_connection_refusal() => ("refused", true),
        // The manager does not tell a connect that took too long from a reply that did, so the command may have been sent.
        ErrorKind::Io if error.is_timeout() => ("timeout", false),
        // The connection ended; the command may have got there before.
        ErrorKind::Io => ("reset", false),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => ("unavailable", true),
        // A reply that cannot be read says nothing about what was done.
        _ => ("invalid", false),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use redis::ServerErrorKind;

    use super::*;

    #[test]
    fn only_what_surely_did_not_happen_is_definite() {
        let of = |error: RedisError| class(&error);
        let io = |kind: io::ErrorKind| of(io::Error::from(kind).into());
        assert_eq!(io(io::ErrorKind::ConnectionRefused), ("refused", true));
        assert_eq!(io(io::ErrorKind::TimedOut), ("timeout", false));
        assert_eq!(io(io::ErrorKind::BrokenPipe), ("reset", false));
        assert_eq!(io(io::ErrorKind::UnexpectedEof), ("reset", false));
        let loading = ErrorKind::Server(ServerErrorKind::BusyLoading);
        assert_eq!(of((loading, "Redis is loading").into()), ("internal", true));
        assert_eq!(of((ErrorKind::Parse, "half a reply").into()), ("invalid", false));
    }
}

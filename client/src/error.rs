//! Why a call to Redis failed, and what that means: whether it may have happened, whether to try again, whether Redis is to
//! blame.

use std::time::Duration;

use thiserror::Error;

/// Why a call to Redis brought no reply, or an error as its reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The breaker is open.
    #[error("the breaker is open; it may close in {retry_after:?}")]
    Rejected {
        /// When asking again may help.
        retry_after: Duration,
    },
    /// So many calls are in flight that this one was not taken.
    #[error("too many calls in flight")]
    Overloaded,
    /// No connection could be had in time, or at all. Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// Redis refuses the credentials. Nothing was sent but them.
    #[error("redis refuses the credentials: {0}")]
    Auth(String),
    /// The operation's time ran out before anything was sent.
    #[error("out of time before anything was sent")]
    TooLate,
    /// No reply came in time.
    #[error("no reply in time")]
    Timeout,
    /// The connection ended while the reply was awaited.
    #[error("the connection ended before the reply: {0}")]
    Broken(String),
    /// Redis answered that it did not do it, for a reason that may pass: LOADING, BUSY, READONLY and their like.
    #[error("redis did not do it: {0}")]
    NotNow(String),
    /// Redis answered with an error that trying again does not mend.
    #[error("redis refuses: {0}")]
    Refused(String),
    /// The client is shut down.
    #[error("the client is shut down")]
    Closed,
}

/// What an outcome says about the health of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Redis, or the way to it, is in trouble.
    Redis,
    /// It says nothing.
    Nobody,
}

impl CallError {
    /// Whether the call surely did not happen and never will.
    pub fn definite(&self) -> bool {
        match self {
            Self::Rejected { .. } | Self::Overloaded | Self::Connect(_) | Self::Auth(_) | Self::TooLate => {
                true
            }
            Self::NotNow(_) | Self::Refused(_) | Self::Closed => true,
            Self::Timeout | Self::Broken(_) => false,
        }
    }

    /// Whether trying the same call again may help.
    pub fn transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout | Self::Broken(_) | Self::NotNow(_) => true,
            // The breaker's own "open" is no reason to try again: that is what it is for.
            Self::Rejected { .. } | Self::Overloaded | Self::Auth(_) | Self::TooLate => false,
            Self::Refused(_) | Self::Closed => false,
        }
    }

    /// Whether Redis, or the way to it, is to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Connect(_) | Self::Auth(_) | Self::Timeout | Self::Broken(_) | Self::NotNow(_) => {
                Blame::Redis
            }
            Self::Rejected { .. } | Self::Overloaded | Self::TooLate | Self::Refused(_) | Self::Closed => {
                Blame::Nobody
            }
        }
    }

    /// The code of the subject protocol.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected { .. } | Self::TooLate | Self::NotNow(_) | Self::Closed | Self::Auth(_) => {
                "unavailable"
            }
            Self::Overloaded => "overloaded",
            Self::Connect(_) => "refused",
            Self::Timeout => "timeout",
            Self::Broken(_) => "reset",
            Self::Refused(_) => "internal",
        }
    }
}

/// Errors with which Redis says that it did not do what was asked, and that may pass.
const NOT_NOW: [&str; 10] = [
    "LOADING",
    "BUSY",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MISCONF",
    "NOREPLICAS",
    "OOM",
    "MOVED",
];

/// Errors about who is asking.
const AUTH: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];

impl From<&redis::RedisError> for CallError {
    fn from(error: &redis::RedisError) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        let code = error.code().unwrap_or_default();
        // The text of a server's error may quote what was sent, so only its first word is kept.
        if AUTH.contains(&code) {
            return Self::Auth(code.to_owned());
        }
        if NOT_NOW.contains(&code) || is_max_clients(error) {
            return Self::NotNow(code.to_owned());
        }
        if !code.is_empty() {
            return Self::Refused(code.to_owned());
        }
        if error.is_io_error() || error.is_unrecoverable_error() {
            return Self::Broken(error.category().to_owned());
        }
        Self::Refused(error.category().to_owned())
    }
}

fn is_max_clients(error: &redis::RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("max number of clients"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_have_been_sent_is_unknown() {
        assert!(!CallError::Timeout.definite());
        assert!(!CallError::Broken(String::new()).definite());
        assert!(CallError::Connect(String::new()).definite());
        assert!(CallError::NotNow("LOADING".to_owned()).definite());
    }

    #[test]
    fn a_wrong_password_is_never_tried_again() {
        assert!(!CallError::Auth("WRONGPASS".to_owned()).transient());
    }

    #[test]
    fn an_open_breaker_neither_asks_for_a_retry_nor_blames_redis() {
        let open = CallError::Rejected { retry_after: Duration::from_secs(1) };
        assert!(!open.transient());
        assert_eq!(open.blame(), Blame::Nobody);
    }
}

//! Why a call to Redis failed, and what that means: whether it may have happened, whether to try again, whether Redis is to
//! blame.

use std::time::Duration;

use thiserror::Error;

use crate::sentinel::NoPrimary;
use crate::tls;

pub(crate) mod told;

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
    #[error("too many calls in flight: pool.in_flight says how many may be")]
    Overloaded,
    /// No connection could be had in time, or at all. Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// TLS cannot be spoken with it: certificates, names or keys do not fit, or it does not speak TLS. Nothing was sent.
    #[error("no TLS: {0}")]
    Tls(String),
    /// Redis refuses the credentials, and nothing was sent but them; or this user lacks the right to what was asked.
    #[error("redis refuses the user: {0}{cure}", cure = told::cure(.0))]
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
    #[error("redis did not do it: {0}{cure}", cure = told::cure(.0))]
    NotNow(String),
    /// Redis answered with an error that trying again does not mend.
    #[error("redis refuses: {0}{cure}", cure = told::cure(.0))]
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
            Self::Rejected { .. } | Self::Overloaded | Self::Connect(_) | Self::TooLate => true,
            Self::Tls(_) | Self::Auth(_) => true,
            Self::NotNow(_) | Self::Refused(_) | Self::Closed => true,
            Self::Timeout | Self::Broken(_) => false,
        }
    }

    /// Whether trying the same call again may help.
    pub fn transient(&self) -> bool {
        match self {
            // A Redis that is out of memory is so for longer than any retry waits.
            Self::NotNow(code) => code != "OOM",
            Self::Connect(_) | Self::Timeout | Self::Broken(_) => true,
            // The breaker's own "open" is no reason to try again: that is what it is for.
            Self::Rejected { .. } | Self::Overloaded | Self::TooLate => false,
            Self::Tls(_) | Self::Auth(_) => false,
            Self::Refused(_) | Self::Closed => false,
        }
    }

    /// Whether Redis, or the way to it, is to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::NotNow(code) | Self::Auth(code) if HEALTHY.contains(&code.as_str()) => Blame::Nobody,
            Self::Connect(_) | Self::Tls(_) | Self::Auth(_) => Blame::Redis,
            Self::Timeout | Self::Broken(_) | Self::NotNow(_) => Blame::Redis,
            Self::Rejected { .. } | Self::Overloaded | Self::TooLate | Self::Refused(_) | Self::Closed => {
                Blame::Nobody
            }
        }
    }

    /// Whether Redis, which is well, refuses just this: nothing was done, and what comes next may fare better.
    pub(crate) fn of_this_alone(&self) -> bool {
        match self {
            // A Redis that is full refuses every write alike, and may have room again soon.
            Self::NotNow(code) => self.blame() == Blame::Nobody && code != "OOM",
            Self::Auth(_) => self.blame() == Blame::Nobody,
            Self::Refused(_) => true,
            _ => false,
        }
    }

    /// Whether another node of the cluster holds the key, or is about to.
    pub(crate) fn points_elsewhere(&self) -> bool {
        matches!(self, Self::NotNow(code) if ["MOVED", "ASK", "TRYAGAIN"].contains(&code.as_str()))
    }

    /// What kind of error it is, as logs and metrics call it.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "circuit_open",
            Self::Overloaded => "too_many_calls",
            Self::Connect(_) => "connection_error",
            Self::Tls(_) => "tls_error",
            Self::Auth(_) => "authentication_error",
            Self::TooLate => "out_of_time",
            Self::Timeout => "timeout",
            Self::Broken(_) => "connection_reset_peer",
            Self::NotNow(_) => "redis_unavailable",
            Self::Refused(_) => "redis_error",
            Self::Closed => "closed",
        }
    }

    /// The code of the subject protocol.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected { .. } | Self::TooLate | Self::NotNow(_) | Self::Closed => "unavailable",
            Self::Tls(_) | Self::Auth(_) => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Connect(_) => "refused",
            Self::Timeout => "timeout",
            Self::Broken(_) => "reset",
            Self::Refused(_) => "internal",
        }
    }
}

/// Errors among these two kinds that a healthy Redis gives: one that is full still serves reads, and what this user may not
/// do, or this node does not hold, or hands on just now, says nothing about the rest.
const HEALTHY: [&str; 5] = ["OOM", "MOVED", "ASK", "TRYAGAIN", "NOPERM"];

impl From<std::io::Error> for CallError {
    /// A stream that was not opened.
    fn from(error: std::io::Error) -> Self {
        if let Some(why) = error.get_ref().and_then(|inner| inner.downcast_ref::<NoPrimary>()) {
            return why.into();
        }
        // Nodes of a cluster that were asked where to connect may have refused that.
        if let Some(told) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return told.clone();
        }
        tls::failure(&error).map_or_else(|| Self::Connect(error.kind().to_string()), Self::Tls)
    }
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
    fn what_redis_says_is_told_with_its_cure() {
        for (line, text) in [
            (
                "READONLY You can't write",
                "redis did not do it: READONLY: it is a replica, so give the address of the primary",
            ),
            (
                "ERR max number of clients reached",
                "redis did not do it: max number of clients reached: it serves no more clients, so raise maxclients there or lower pool.connections here",
            ),
            (
                "WRONGPASS invalid",
                "redis refuses the user: WRONGPASS: user or password is wrong, or the user is disabled",
            ),
            (
                "ERR DB index is out of range",
                "redis refuses: no such database: it has fewer databases, so give another number or raise databases there",
            ),
            ("ERR something else", "redis refuses: ERR"),
        ] {
            assert_eq!(told(line).to_string(), text);
        }
    }

    #[test]
    fn what_an_older_redis_says_within_a_script_is_the_same() {
        let within =
            |text: &str| told(&format!("ERR Error running script (call to f_a1): @user_script:73: {text}"));
        assert_eq!(within("@user_script: 73: -READONLY You can't write"), told("READONLY You can't write"));
        assert_eq!(within("@user_script: 73: -OOM command not allowed"), told("OOM command not allowed"));
        assert_eq!(within("WRONGTYPE Operation against a key"), told("WRONGTYPE Operation against a key"));
        assert_eq!(within("ERR syntax error"), told("ERR syntax error"));
        assert_eq!(within("ERR hunter2"), CallError::Refused("ERR".to_owned()));
    }

    /// What the client makes of a server's error line.
    fn told(line: &str) -> CallError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(redis::Value::ServerError(error)) => CallError::from(&redis::RedisError::from(error)),
            other => panic!("not a server's error: {other:?}"),
        }
    }

    #[test]
    fn a_redis_that_cannot_now_is_to_blame_and_did_surely_not_do_it() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN The cluster is down",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOREPLICAS Not enough good replicas to write.",
            "BUSY Redis is busy running a script.",
            "ERR max number of clients reached",
        ] {
            let error = told(line);
            assert!(matches!(error, CallError::NotNow(_)), "{line}: {error:?}");
            assert!(error.definite() && error.transient(), "{line}");
            assert_eq!(error.blame(), Blame::Redis, "{line}");
        }
    }

    #[test]
    fn what_a_healthy_redis_refuses_says_nothing_about_its_health() {
        for line in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "NOSCRIPT No matching script.",
            "EXECABORT Transaction discarded because of previous errors.",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "NOPERM this user has no permissions to run the 'get' command",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "ERR value is not an integer or out of range",
        ] {
            let error = told(line);
            assert!(error.definite(), "{line}");
            assert_eq!(error.blame(), Blame::Nobody, "{line}: {error:?}");
        }
    }

    #[test]
    fn credentials_that_are_refused_and_memory_that_is_full_are_no_reason_to_try_again() {
        for line in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'get' command",
            "OOM command not allowed when used memory > 'maxmemory'.",
        ] {
            assert!(!told(line).transient(), "{line}");
        }
    }

    #[test]
    fn a_redis_that_lost_track_of_the_protocol_leaves_the_outcome_unknown() {
        let error = told("ERR Protocol error: invalid bulk length");
        assert!(matches!(error, CallError::Broken(_)));
        assert!(!error.definite());
    }

    #[test]
    fn how_a_connection_ended_is_told() {
        let told = |kind: std::io::ErrorKind| {
            let error = redis::RedisError::from(std::io::Error::from(kind));
            CallError::from(&error)
        };
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        assert_eq!(told(ConnectionReset), CallError::Broken("the connection was reset".to_owned()));
        for kind in [UnexpectedEof, BrokenPipe] {
            assert_eq!(told(kind), CallError::Broken("the connection ended".to_owned()), "{kind}");
        }
    }

    #[test]
    fn the_text_of_a_servers_error_is_not_kept() {
        let error = told("ERR unknown command 'AUTH', with args beginning with: 'hunter2'");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
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

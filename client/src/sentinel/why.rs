//! Why no sentinel named a primary.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::connect::Connect;
use crate::error::CallError;
use crate::error::told::{NO_COMMAND, NO_REDIS, stream_error};
use crate::tls;
use crate::watched::GUIDE_TOO_LARGE;

/// Why one sentinel named none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub(crate) enum Why {
    /// It does not speak TLS as we do.
    #[error("no TLS: {0}")]
    Tls(String),
    /// It does not take the login.
    #[error("{0}")]
    Auth(String),
    /// It answered with an error.
    #[error("{0}")]
    Refused(String),
    /// Another kind of server answered.
    #[error("a Redis is there, and no sentinel: the port of a sentinel is 26379 unless it is told otherwise")]
    Redis,
    /// The name is another.
    #[error("it knows no such name")]
    Unknown,
    /// It was not reached, or did not answer in time.
    #[error("{0}")]
    Connect(String),
    /// The asking ended.
    #[error("it was not asked to the end")]
    Ended,
}

/// No sentinel named a primary.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no sentinel of {sentinels} names a primary {name:?}: {why}", why = told(.failed))]
pub(crate) struct NoPrimary {
    name: String,
    sentinels: usize,
    failed: BTreeSet<Why>,
}

impl Why {
    /// What an error says of a server that `connect` leads to.
    pub(crate) fn of(error: &redis::RedisError, connect: &dyn Connect) -> Self {
        if let Some(why) = stream_error(error).and_then(tls::failure) {
            return Self::Tls(why);
        }
        match CallError::from(error) {
            CallError::Broken(why) if why == GUIDE_TOO_LARGE || why == NO_REDIS => Self::Connect(why),
            CallError::Broken(_) => Self::Connect(connect.hung_up().to_owned()),
            CallError::Refused(code) if code == NO_COMMAND => Self::Redis,
            other => other.into(),
        }
    }
}

impl From<CallError> for Why {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Tls(why) => Self::Tls(why),
            CallError::Connect(why) => Self::Connect(why),
            CallError::Auth(_) => Self::Auth(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl NoPrimary {
    /// Those that failed did so for these reasons.
    pub(crate) fn new(name: &str, sentinels: usize, failed: BTreeSet<Why>) -> Self {
        Self { name: name.to_owned(), sentinels, failed }
    }
}

impl From<&NoPrimary> for CallError {
    fn from(error: &NoPrimary) -> Self {
        // These have classes of their own: trying again at once does not mend them.
        let tls = error.failed.iter().any(|why| matches!(why, Why::Tls(_)));
        let login = error.failed.iter().any(|why| matches!(why, Why::Auth(_)));
        match error.to_string() {
            told if tls => Self::Tls(told),
            told if login => Self::Auth(told),
            told => Self::Connect(told),
        }
    }
}

fn told(failed: &BTreeSet<Why>) -> String {
    let reasons: Vec<String> = failed.iter().map(ToString::to_string).collect();
    if reasons.is_empty() { "there is none".to_owned() } else { reasons.join("; ") }
}

//! `error_reply`: Redis says no.

use proptest::sample;
use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Answer, Inject};

/// An error answers the command, as Redis would give it; the command does not reach Redis.
///
/// ```toml
/// faults = [{ inject.error_reply = { error = "LOADING" }, match = { command = "GET" } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorReply {
    /// Which error.
    pub error: RedisError,
}

/// An error of Redis'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedisError {
    /// It is reading its data from disk.
    #[serde(rename = "LOADING")]
    Loading,
    /// It is a replica.
    #[serde(rename = "READONLY")]
    Readonly,
    /// It is out of memory.
    #[serde(rename = "OOM")]
    Oom,
    /// A script keeps it busy.
    #[serde(rename = "BUSY")]
    Busy,
    /// The connection is not authenticated.
    #[serde(rename = "NOAUTH")]
    Noauth,
    /// The user may not do that.
    #[serde(rename = "NOPERM")]
    Noperm,
    /// It cannot save to disk, and takes no writes.
    #[serde(rename = "MISCONF")]
    Misconf,
    /// The key lies on another node.
    #[serde(rename = "MOVED")]
    Moved,
    /// It serves as many clients as it may.
    #[serde(rename = "max clients")]
    MaxClients,
}

impl RedisError {
    /// Every error.
    pub const ALL: [Self; 9] = [
        Self::Loading,
        Self::Readonly,
        Self::Oom,
        Self::Busy,
        Self::Noauth,
        Self::Noperm,
        Self::Misconf,
        Self::Moved,
        Self::MaxClients,
    ];

    /// The words of Redis 7, without the leading `-` and the end of the line.
    pub fn words(self) -> &'static str {
        match self {
            Self::Loading => "LOADING Redis is loading the dataset in memory",
            Self::Readonly => "READONLY You can't write against a read only replica.",
            Self::Oom => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::Busy => {
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
            }
            Self::Noauth => "NOAUTH Authentication required.",
            Self::Noperm => "NOPERM User default has no permissions to run this command",
            Self::Misconf => {
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands \
                 that may modify the data set are disabled, because this instance is configured to report errors during \
                 writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for \
                 details about the RDB error."
            }
            Self::Moved => "MOVED 3999 127.0.0.1:6381",
            Self::MaxClients => "ERR max number of clients reached",
        }
    }
}

impl Inject for ErrorReply {
    const EXAMPLE: &'static str = "inject.error_reply = { error = \"LOADING\" }";

    fn act(&self) -> Act {
        Act::Answer(Answer::Error(self.error.words().to_owned()))
    }

    fn drawn() -> SBoxedStrategy<Self> {
        sample::select(RedisError::ALL.as_slice()).prop_map(|error| Self { error }).sboxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_that_redis_gives_them() {
        let error = |text: &str| toml::from_str::<ErrorReply>(text).map(|fault| fault.act());
        let moved = Act::Answer(Answer::Error("MOVED 3999 127.0.0.1:6381".to_owned()));
        assert_eq!(error("error = \"MOVED\"").unwrap(), moved);
        assert!(error("error = \"MOVE\"").unwrap_err().to_string().contains("`MOVED`"));
    }
}

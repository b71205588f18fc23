//! A command that left an instance, and what kind of command its name makes it.

use std::sync::Arc;

use crate::history::SessionId;

/// Commands that set a connection up, ask the server about itself, or ask a sentinel or a node of a cluster
/// where to connect. They are no calls of the subject's work.
const SET_UP: [&str; 12] = [
    "HELLO", "CLIENT", "AUTH", "SELECT", "TIME", "INFO", "SCRIPT", "CONFIG", "QUIT", "ECHO", "SENTINEL",
    "CLUSTER",
];

/// Commands that have one key. Others may carry further sessions, which a wire log does not name.
const OF_ONE_KEY: [&str; 33] = [
    "APPEND",
    "DECR",
    "DUMP",
    "EXPIRE",
    "EXPIREAT",
    "GET",
    "GETDEL",
    "GETEX",
    "GETRANGE",
    "GETSET",
    "HDEL",
    "HGET",
    "HGETALL",
    "HMGET",
    "HMSET",
    "HSET",
    "INCR",
    "OBJECT",
    "PERSIST",
    "PEXPIRE",
    "PEXPIREAT",
    "PSETEX",
    "PTTL",
    "RESTORE",
    "SET",
    "SETEX",
    "SETNX",
    "SETRANGE",
    "STRLEN",
    "TTL",
    "TYPE",
    "HLEN",
    "HEXISTS",
];

/// A command that left an instance.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) entry: usize,
    pub(crate) t: u64,
    /// Shared by all commands of that name.
    pub(crate) name: Arc<str>,
    pub(crate) class: Class,
    /// When its reply arrived, or its connection ended.
    pub(crate) over: Option<u64>,
    /// Whether that was a reply, and no error.
    pub(crate) succeeded: bool,
    /// The first word of the error that it was, if it was one.
    pub(crate) error: Option<Arc<str>>,
    /// The session whose key is its first.
    pub(crate) session: Option<SessionId>,
}

/// What kind of command it is: found once for each name, for there are many commands and few names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It sets a connection up.
    SetUp,
    /// It asks whether Redis is there.
    Probe,
    /// It does the subject's work, on one key.
    OfOneKey,
    /// It does the subject's work, maybe on several keys.
    Other,
}

impl Class {
    /// Of the command of this name.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "PING" => Self::Probe,
            _ if SET_UP.contains(&name) => Self::SetUp,
            _ if OF_ONE_KEY.contains(&name) => Self::OfOneKey,
            _ => Self::Other,
        }
    }
}

impl Command {
    /// Whether it sets a connection up.
    pub(crate) fn sets_up(&self) -> bool {
        self.class == Class::SetUp
    }

    /// Whether it does the subject's work: neither set-up nor a probe.
    pub(crate) fn is_data(&self) -> bool {
        matches!(self.class, Class::OfOneKey | Class::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_a_command_is_for() {
        assert_eq!(Class::of("HELLO"), Class::SetUp);
        assert_eq!(Class::of("PING"), Class::Probe);
        assert_eq!(Class::of("GET"), Class::OfOneKey);
        for name in ["EVALSHA", "DEL", "MGET", "get", ""] {
            assert_eq!(Class::of(name), Class::Other, "{name}");
        }
    }
}

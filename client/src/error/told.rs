//! What Redis says when it refuses: which kind of error that is, and what would mend it. Its text may quote what was sent, so
//! only words of this file are kept of it.

use std::io::ErrorKind;
use std::sync::Arc;

use super::CallError;
use crate::watched;

/// Errors with which Redis says that it did not do what was asked, and that may pass, each with its cure.
const NOT_NOW: [(&str, &str); 12] = [
    ("LOADING", "it is loading its data, and answers when it has"),
    ("BUSY", "a script runs for too long there, which SCRIPT KILL ends"),
    ("READONLY", "it is a replica, so give the address of the primary"),
    ("MASTERDOWN", "it is a replica without its primary, so give the address of another"),
    ("CLUSTERDOWN", "the cluster is down, and CLUSTER INFO says more"),
    ("TRYAGAIN", "the keys are moving to another node of the cluster"),
    ("MISCONF", "it cannot save its data, and its log says why"),
    ("NOREPLICAS", "it has fewer replicas than min-replicas-to-write asks for"),
    ("OOM", "its memory is full, so raise maxmemory there"),
    ("MOVED", "another node of a cluster holds the key, which redis-cluster:// as the address finds"),
    ("ASK", "the key is moving to another node of the cluster"),
    (MAX_CLIENTS, "it serves no more clients, so raise maxclients there or lower pool.connections here"),
];

/// Errors about who is asking, each with its cure.
const AUTH: [(&str, &str); 4] = [
    ("NOAUTH", "it asks for a password, so give one"),
    ("WRONGPASS", "user or password is wrong, or the user is disabled"),
    ("NOPERM", "this user lacks the right to a command or a key, which ACL SETUSER gives"),
    (NO_PASSWORD, "it has no password for the default user, so give none"),
];

/// Errors that trying again does not mend, each with its cure.
const REFUSED: [(&str, &str); 8] = [
    ("DENIED", "it is in protected mode, so give it a password or an address to bind to"),
    ("WRONGTYPE", "the key holds something of another type, so find out who else writes it"),
    ("NOPROTO", "it does not speak RESP3, so set protocol to resp2"),
    (NO_DATABASE, "it has fewer databases, so give another number or raise databases there"),
    (
        NO_COMMAND,
        "it does not know a command that this client uses: Redis 6.2 is the oldest that does, none renamed",
    ),
    (NO_OPTION, "it does not know an option that this client uses: Redis 6.2 is the oldest that does"),
    (NO_NUMBER, "the key holds no whole number of 64 bits"),
    (OVERFLOW, "the sum does not fit into 64 bits"),
];

const MAX_CLIENTS: &str = "max number of clients reached";
const NO_PASSWORD: &str = "no password is set";
const NO_DATABASE: &str = "no such database";
/// A command that it does not know.
pub(crate) const NO_COMMAND: &str = "unknown command";
const NO_OPTION: &str = "syntax error";
/// What a counter's key holds is none.
pub(crate) const NO_NUMBER: &str = "not a number";
const OVERFLOW: &str = "overflow";

/// What errors of the general kind say, and what they are called here.
const GENERAL: [(&str, &str); 12] = [
    ("The user executing the script can't", "NOPERM"),
    ("max number of clients", MAX_CLIENTS),
    ("without any password configured", NO_PASSWORD),
    ("no password is set", NO_PASSWORD),
    ("DB index is out of range", NO_DATABASE),
    ("invalid DB index", NO_DATABASE),
    ("unknown command", NO_COMMAND),
    ("Unknown Redis command", NO_COMMAND),
    ("syntax error", NO_OPTION),
    ("value is not an integer", NO_NUMBER),
    ("hash value is not an integer", NO_NUMBER),
    ("would overflow", OVERFLOW),
];

/// What to do about an error of that name, after a colon; nothing if nobody knows.
pub(super) fn cure(name: &str) -> String {
    let tables = [&NOT_NOW[..], &AUTH, &REFUSED].concat();
    let found = tables.iter().find(|(known, _)| *known == name);
    found.map_or_else(String::new, |(_, cure)| format!(": {cure}"))
}

impl From<&redis::RedisError> for CallError {
    fn from(error: &redis::RedisError) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        let name = name(error);
        let is_in = |table: &[(&str, &str)]| table.iter().any(|(known, _)| *known == name);
        if is_in(&AUTH) {
            return Self::Auth(name.to_owned());
        }
        if is_in(&NOT_NOW) {
            return Self::NotNow(name.to_owned());
        }
        if says(error, "Protocol error") {
            // Redis lost track of what it was sent, and ends the connection.
            return Self::Broken("protocol error".to_owned());
        }
        if !name.is_empty() {
            return Self::Refused(name.to_owned());
        }
        if let Some(why) = stream_error(error).and_then(watched::too_large) {
            return Self::Broken(why.to_owned());
        }
        if error.kind() == redis::ErrorKind::Parse {
            return Self::Broken(NO_REDIS.to_owned());
        }
        if error.is_io_error() || error.is_unrecoverable_error() {
            return Self::Broken(ended(error).to_owned());
        }
        Self::Refused(error.category().to_owned())
    }
}

/// What is said of an answer that is none.
pub(crate) const NO_REDIS: &str = "what it answers is not the protocol of Redis, so check host and port";

/// What is said of an answer to something else.
pub(crate) const ANOTHER_FORM: &str = "an answer of another form than was asked for came, and ended it";

/// The first word of a server's error, or what a general one is called here; empty if it is no server's error.
fn name(error: &redis::RedisError) -> &str {
    let code = error.code().unwrap_or_default();
    if code != "ERR" {
        return code;
    }
    let general = GENERAL.iter().find(|(text, _)| says(error, text)).map(|(_, name)| *name);
    general.or_else(|| within_a_script(error)).unwrap_or(code)
}

/// Before Redis 7, an error within a script is a general one, whose text has it somewhere.
fn within_a_script(error: &redis::RedisError) -> Option<&'static str> {
    let detail = error.detail().filter(|detail| detail.starts_with("Error running script"))?;
    let known = [&NOT_NOW[..], &AUTH, &REFUSED].concat();
    let mut words = detail.split([' ', ':']).map(|word| word.trim_start_matches('-'));
    words.find_map(|word| known.iter().find(|(name, _)| *name == word).map(|(name, _)| *name))
}

/// How a connection ended.
fn ended(error: &redis::RedisError) -> &str {
    match stream_error(error).map(std::io::Error::kind) {
        Some(ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => "the connection was reset",
        Some(ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => "the connection ended",
        _ if error.is_connection_dropped() => "the connection ended",
        _ => error.category(),
    }
}

/// What the stream below an error said, if it was that.
pub(crate) fn stream_error(error: &redis::RedisError) -> Option<&std::io::Error> {
    type Shared = Arc<dyn std::error::Error + Send + Sync>;
    std::error::Error::source(error)?.downcast_ref::<Shared>()?.downcast_ref()
}

fn says(error: &redis::RedisError, text: &str) -> bool {
    error.detail().is_some_and(|detail| detail.contains(text))
}

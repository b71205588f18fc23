//! What a caller may ask for: refused at once, before anything is sent or kept, with what would do.

use std::time::Duration;

use crate::answer::SessionError;
use crate::client::SessionClient;
use crate::core::local::LocalCopy;
use crate::core::sessions::{Refusal, Write};
use crate::keys::key_problem;

impl SessionClient {
    /// Whether it may be an id.
    pub(crate) fn check_id(&self, id: &str) -> Result<(), SessionError> {
        self::id(&self.settings().key_prefix, id).map_err(SessionError::Invalid)
    }

    /// Whether the session may be written so.
    pub(crate) fn check_write(&self, id: &str, write: &Write) -> Result<(), SessionError> {
        let (payload, lives) = match write {
            Write::Create { payload, ttl } => (Some(payload), Some(*ttl)),
            Write::Update { payload } => (Some(payload), None),
            Write::Touch { ttl } => (None, Some(*ttl)),
            Write::Destroy => (None, None),
        };
        if payload.is_some_and(|payload| payload.len() > MAX_VALUE) {
            return Err(SessionError::Invalid("the value is larger than 500 MiB"));
        }
        let takes = payload.map(|payload| LocalCopy::takes(id, payload.len()));
        if takes.is_some_and(|takes| takes > self.settings().local.bytes) {
            return Err(self.no_room(takes.unwrap_or_default()));
        }
        lives.map_or(Ok(()), ttl)
    }

    /// Why a session of so many bytes that was found, and `kept` here if there was room, cannot be written all the same.
    pub(crate) fn unwritable(&self, refusal: &Refusal, bytes: u64, kept: bool) -> SessionError {
        match refusal {
            // It ended just now.
            Refusal::Missing if kept => SessionError::NoSession,
            Refusal::Missing | Refusal::Full => self.no_room(bytes),
        }
    }

    /// Why a session of so many bytes cannot be kept here.
    fn no_room(&self, bytes: u64) -> SessionError {
        let most = self.settings().local.bytes;
        if bytes > most { SessionError::TooLarge { bytes, most } } else { SessionError::Full }
    }
}

/// Whether it may be an id behind that prefix; if not, why not.
pub(crate) fn id(prefix: &str, id: &str) -> Result<(), &'static str> {
    let problem = match id.len() {
        0 => Some("the id is empty"),
        1..=MAX_ID => key_problem(prefix, id),
        _ => Some("the id is longer than 1 KiB"),
    };
    problem.map_or(Ok(()), Err)
}

/// Whether something may live for so long.
pub(crate) fn ttl(ttl: Duration) -> Result<(), SessionError> {
    if ttl < Duration::from_millis(1) || ttl > MAX_TTL {
        return Err(SessionError::Invalid("the TTL must be from 1 ms to 100 years"));
    }
    Ok(())
}

/// Whether it may be a user's name.
pub(crate) fn user(name: &str) -> Result<(), SessionError> {
    match name.len() {
        0 => Err(SessionError::Invalid("the user's name is empty: give none instead")),
        1..=MAX_ID => Ok(()),
        _ => Err(SessionError::Invalid("the user's name is longer than 1 KiB")),
    }
}

/// Whether it may be a pattern of ids.
pub(crate) fn pattern(pattern: &str) -> Result<(), SessionError> {
    match pattern.len() {
        0 => Err(SessionError::Invalid("the pattern is empty: * matches every id")),
        1..=MAX_PATTERN => Ok(()),
        _ => Err(SessionError::Invalid("the pattern is longer than 4 KiB")),
    }
}

/// The longest id or name, in bytes.
const MAX_ID: usize = 1024;
/// The longest pattern: room for an id of which every byte is written as a literal.
const MAX_PATTERN: usize = 4 * MAX_ID;
/// The largest value: Redis takes 512 MB, header included.
const MAX_VALUE: usize = 500 * 1024 * 1024;
/// The longest TTL: a hundred years.
const MAX_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

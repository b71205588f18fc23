//! What a caller may ask for: refused at once, before anything is sent or kept, with what would do.

use std::time::Duration;

use crate::answer::SessionError;
use crate::client::SessionClient;
use crate::core::local::LocalCopy;
use crate::core::sessions::Write;
use crate::keys::key_problem;

impl SessionClient {
    /// Whether it may be an id.
    pub(crate) fn check_id(&self, id: &str) -> Result<(), SessionError> {
        let problem = match id.len() {
            0 => Some("the id is empty"),
            1..=MAX_ID => key_problem(&self.settings().key_prefix, id),
            _ => Some("the id is longer than 1 KiB"),
        };
        problem.map_or(Ok(()), |problem| Err(SessionError::Invalid(problem)))
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

    /// Why a session of so many bytes cannot be kept here.
    pub(crate) fn no_room(&self, bytes: u64) -> SessionError {
        let most = self.settings().local.bytes;
        if bytes > most { SessionError::TooLarge { bytes, most } } else { SessionError::Full }
    }
}

/// Whether something may live for so long.
pub(crate) fn ttl(ttl: Duration) -> Result<(), SessionError> {
    if ttl < Duration::from_millis(1) || ttl > MAX_TTL {
        return Err(SessionError::Invalid("the TTL must be from 1 ms to 100 years"));
    }
    Ok(())
}

/// The longest id, in bytes.
const MAX_ID: usize = 1024;
/// The largest value: Redis takes 512 MB, header included.
const MAX_VALUE: usize = 500 * 1024 * 1024;
/// The longest TTL: a hundred years.
const MAX_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

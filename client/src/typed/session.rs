//! A session as its service sees it.

use std::time::Duration;

use super::payload::About;
use crate::answer::ServedBy;

/// A session. Times are milliseconds since 1970 by Redis's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session<T> {
    /// Its id.
    pub id: String,
    /// What the service keeps in it.
    pub data: T,
    /// Whose it is.
    pub user: Option<String>,
    /// When it was created.
    pub created_unix_ms: u64,
    /// When it was last used.
    pub last_activity_unix_ms: u64,
    /// When its client went away; `None` while it is there.
    pub disconnected_unix_ms: Option<u64>,
    /// Messages in it.
    pub messages: u64,
    /// The number of the last message.
    pub sequence: u64,
    /// How long it lives on.
    pub ttl: Duration,
    /// Who said so, or took the last write.
    pub served_by: ServedBy,
}

impl<T> Session<T> {
    pub(super) fn new(id: &str, about: About, data: T, ttl: Duration, served_by: ServedBy) -> Self {
        let since = |after: u64| about.created.saturating_add(after);
        Self {
            id: id.to_owned(),
            data,
            created_unix_ms: about.created,
            last_activity_unix_ms: since(about.active_after),
            disconnected_unix_ms: about.disconnected_after.map(since),
            messages: about.messages,
            sequence: about.sequence,
            user: about.user,
            ttl,
            served_by,
        }
    }

    pub(super) fn about(&self) -> About {
        let after = |at: u64| at.saturating_sub(self.created_unix_ms);
        About {
            created: self.created_unix_ms,
            active_after: after(self.last_activity_unix_ms),
            disconnected_after: self.disconnected_unix_ms.map(after),
            messages: self.messages,
            sequence: self.sequence,
            user: self.user.clone(),
        }
    }
}

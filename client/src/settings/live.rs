//! Settings that change while a client runs.

use std::sync::{Arc, PoisonError, RwLock};

use thiserror::Error;

use super::{Settings, SettingsError};

/// The settings of a running client. All its parts share them, and ask again whenever they need one.
#[derive(Debug)]
pub(crate) struct Live(RwLock<Arc<Settings>>);

/// Why a running client goes on with the settings that it has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReconfigureError {
    /// A setting is out of its range.
    #[error(transparent)]
    Invalid(#[from] SettingsError),
    /// A setting would change that holds as long as the client lives.
    #[error("{key} cannot change while the client runs: start another client with it")]
    Fixed {
        /// The setting.
        key: &'static str,
    },
}

impl Live {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(RwLock::new(Arc::new(settings)))
    }

    /// As they are now.
    pub(crate) fn now(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces them, if that can be.
    pub(crate) fn replace(&self, by: Settings) -> Result<Arc<Settings>, ReconfigureError> {
        by.validate()?;
        let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = now.fixed_but_different(&by) {
            return Err(ReconfigureError::Fixed { key });
        }
        *now = Arc::new(by);
        Ok(Arc::clone(&now))
    }
}

impl Settings {
    /// A setting that holds as long as the client lives, and is another one in `other`.
    fn fixed_but_different(&self, other: &Self) -> Option<&'static str> {
        let same = [
            ("key_prefix", self.key_prefix == other.key_prefix),
            ("fallback", self.fallback == other.fallback),
            ("protocol", self.protocol == other.protocol),
            ("pool.in_flight", self.pool.in_flight == other.pool.in_flight),
            ("keepalive", self.keepalive == other.keepalive),
            ("resync.enabled", self.resync.enabled == other.resync.enabled),
            ("resync.tombstone_ttl", self.resync.tombstone_ttl == other.resync.tombstone_ttl),
            ("local", self.local == other.local),
        ];
        same.into_iter().find_map(|(key, same)| (!same).then_some(key))
    }
}

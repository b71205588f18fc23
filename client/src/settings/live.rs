//! Settings that change while a client runs.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use thiserror::Error;

use super::{Settings, SettingsError};

/// The settings of a running client. All its parts share them, and ask again whenever they need one.
#[derive(Debug)]
pub(crate) struct Live {
    now: RwLock<Arc<Settings>>,
    /// Held while they change: two changes do not mix.
    changing: Mutex<()>,
}

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
        Self { now: RwLock::new(Arc::new(settings)), changing: Mutex::new(()) }
    }

    /// As they are now.
    pub(crate) fn now(&self) -> Arc<Settings> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces them, if that can be, and lets `apply` pass them on. It must tell nobody.
    pub(crate) fn replace(
        &self,
        by: Settings,
        apply: impl FnOnce(&Settings),
    ) -> Result<(), ReconfigureError> {
        by.validate()?;
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.now().fixed_but_different(&by) {
            return Err(ReconfigureError::Fixed { key });
        }
        let by = Arc::new(by);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&by);
        apply(&by);
        Ok(())
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

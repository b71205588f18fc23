//! Settings of waiting for replicas.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problems::Problems;
use super::{HOUR, MS, length};

/// Waiting for replicas before a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplicaSettings {
    /// Replicas that must have a write before its level is `Replicas`. None: no write waits for any.
    pub acknowledgements: u32,
    /// How long a write waits for them; never longer than `deadline`. After that its level is `Redis`: it stands all the same.
    #[serde(with = "length")]
    pub timeout: Duration,
}

impl Default for ReplicaSettings {
    fn default() -> Self {
        Self { acknowledgements: 0, timeout: Duration::from_millis(200) }
    }
}

impl ReplicaSettings {
    pub(super) fn problems(&self, found: &mut Problems) {
        found.count("replicas.acknowledgements", self.acknowledgements.into(), 0, 100);
        found.length("replicas.timeout", self.timeout, MS, HOUR);
    }
}

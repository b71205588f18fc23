//! What a client takes from its surroundings, and why it may not start in them.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::clock::Clock;
use crate::disk::DiskError;
use crate::event::Observer;
use crate::seal::Seal;
use crate::settings::SettingsError;

/// What a client takes from its surroundings.
pub struct Environment {
    /// The clock.
    pub clock: Clock,
    /// Where all chance comes from.
    pub seed: u64,
    /// A number that no other instance on the same Redis has; versions carry it. A process that starts again may have the one
    /// that it had.
    pub writer: u32,
    /// Told of everything that happens. It must not block. It may call the client, but not
    /// wait for what it calls.
    pub observer: Observer,
    /// The file of the durable fallback, made if there is none: what is accepted while Redis is away lies there before it is
    /// acknowledged, and the next process that starts with this file brings it to Redis. Each instance needs a file of its
    /// own. `None`: it is kept in memory only.
    pub disk: Option<PathBuf>,
    /// The keys that values are encrypted with, in Redis, on disk and in memory; `None`: they are as they are. Every instance
    /// needs them.
    pub seal: Option<Seal>,
}

impl Environment {
    /// The system's clock, a seed by chance, nobody who is told, nothing on disk, and nothing encrypted.
    pub fn new(writer: u32) -> Self {
        // Each RandomState has keys of its own, drawn from the system's randomness.
        let seed = RandomState::new().build_hasher().finish();
        Self { clock: Clock::system(), seed, writer, observer: Arc::new(|_| ()), disk: None, seal: None }
    }
}

/// Why a client does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no tokio runtime for its tasks.
    #[error(
        "a client starts within a tokio runtime with time and IO: in an async function, or after Runtime::enter"
    )]
    NoRuntime,
    /// A setting is out of its range.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file of the durable fallback cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

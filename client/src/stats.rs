//! What a client holds just now, in figures.

use std::sync::atomic::Ordering;

use crate::client::SessionClient;
use crate::core::breaker::State;

/// What a client holds just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Where the breaker stands.
    pub breaker: State,
    /// Connections that are open.
    pub connections: u64,
    /// Sessions in the local copy, the destroyed ones included.
    pub local_sessions: u64,
    /// Bytes that they take, roughly.
    pub local_bytes: u64,
    /// Sessions whose newest Redis does not know yet.
    pub dirty: u64,
    /// How often Redis, or the disk, held something that was not a session of ours, or not whole.
    pub damaged: u64,
    /// Writes that were acknowledged in memory only because the disk failed, or was too slow.
    pub disk_failures: u64,
}

impl SessionClient {
    /// What the client holds just now.
    pub fn stats(&self) -> Stats {
        let breaker = self.store().script.gateway.state();
        let sessions = self.store().memory.lock();
        Stats {
            breaker,
            connections: self.store().script.gateway.connections() as u64,
            local_sessions: sessions.local().len(),
            local_bytes: sessions.local().bytes(),
            dirty: sessions.local().dirty(),
            damaged: self.store().damaged.load(Ordering::Relaxed),
            disk_failures: self.store().disk_failures.load(Ordering::Relaxed),
        }
    }
}

//! A request to stop, seen by everything that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A request to stop. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requested: AtomicBool,
    told: Notify,
}

impl Stop {
    /// Not requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests the stop. Once requested it stays so.
    pub fn request(&self) {
        self.shared.requested.store(true, Ordering::SeqCst);
        self.shared.told.notify_waiters();
    }

    /// Whether it was requested.
    pub fn is_requested(&self) -> bool {
        self.shared.requested.load(Ordering::SeqCst)
    }

    /// Waits until it is requested.
    pub async fn requested(&self) {
        let told = self.shared.told.notified();
        tokio::pin!(told);
        // Enabled before the flag is read, so that a request in between is not missed.
        told.as_mut().enable();
        if !self.is_requested() {
            told.await;
        }
    }
}

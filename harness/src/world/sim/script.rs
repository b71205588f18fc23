//! A script that keeps the embedded server busy.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::server::Server;

/// How long a script would run if nobody ended it.
const ENDLESS: Duration = Duration::from_secs(24 * 3600);

/// The script, while one runs.
#[derive(Debug, Default)]
pub(super) struct Script(Mutex<Option<JoinHandle<()>>>);

impl Script {
    /// Starts it: nothing is answered for so long, and then `-BUSY`.
    pub(super) async fn begin(&self, server: &Server, silent: Duration) {
        let server = server.clone();
        let mut running = Box::pin(async move { server.block_with(silent, ENDLESS).await });
        // It runs from now on, not from when its task is first looked after.
        tokio::select! {
            biased;
            () = &mut running => {}
            () = std::future::ready(()) => *self.running() = Some(tokio::spawn(running)),
        }
    }

    /// Ends it, as `SCRIPT KILL` does.
    pub(super) async fn end(&self) {
        let running = self.running().take();
        if let Some(running) = running {
            running.abort();
            // It ends as cancelled; only then is the server surely free.
            let _cancelled = running.await;
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let Some(running) = self.running().take() {
            running.abort();
        }
    }
}

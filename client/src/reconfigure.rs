//! Settings of a client that runs.

use std::sync::Arc;

use crate::client::SessionClient;
use crate::settings::{ReconfigureError, Settings};

impl SessionClient {
    /// Its settings, as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        self.store().settings.now()
    }

    /// Goes on with other settings: timeouts, thresholds, rates, retries and the number of connections hold for every operation
    /// that begins from now on. A connection that is open judges its own silence by the figures with which it was opened, and a
    /// cool-down that has begun ends as it would have.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range, or one would change that cannot while the client runs. Then nothing has changed.
    pub fn reconfigure(&self, settings: Settings) -> Result<(), ReconfigureError> {
        let gateway = &self.store().script.gateway;
        self.store().settings.replace(settings, |now| gateway.apply(now))?;
        gateway.tell();
        Ok(())
    }
}

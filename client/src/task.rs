//! Tasks that end with what they work for.

use tokio::task::AbortHandle;

/// Ends a task when it goes.
pub(crate) struct AbortOnDrop(pub(crate) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

//! A server whose place another has taken is left before it knows it: what it still takes, it will lose.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout_at;

use super::{Pool, Shared};
use crate::connect::Asking;
use crate::core::time::Time;

impl Pool {
    /// If another server has taken the place of the one that the connections lead to, opens one to it, by `deadline`: that ends
    /// the use of the others. One that is no primary, whoever says so, ends nothing.
    pub(crate) async fn follow(&self, asking: Asking, deadline: Time) {
        let shared = &self.0;
        let server = shared.lock().connections.last().and_then(|newest| newest.leads_to().cloned());
        let Some(server) = server else { return };
        let limit = shared.settings.now().connect_timeout.min(deadline.since(shared.clock.now()));
        if shared.endpoint.connect.replaced(&server, asking, limit).await {
            let ended = shared.dialled.notified();
            if shared.dial_another() {
                // What became of it shows in the next call.
                let _ = timeout_at(shared.clock.instant(deadline), ended).await;
            }
        }
    }
}

impl Shared {
    /// Begins to open a connection although there may be enough, unless one is being opened.
    fn dial_another(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        if state.closed || state.dialling.is_some() {
            return !state.closed;
        }
        state.dials += 1;
        let dial = state.dials;
        state.dialling = Some((dial, None));
        drop(state);
        self.dial(dial, Duration::ZERO);
        true
    }
}

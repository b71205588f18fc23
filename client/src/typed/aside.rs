//! Keeps what is damaged for somebody to look at, before the session begins anew.

use std::time::Duration;

use crate::core::time::Time;
use crate::keys::{ASIDE, beside, key};
use crate::store::Store;

/// Copies what lies under a session's key, whatever it is, beside it, for a week. It is tried once: a session that works matters
/// more.
pub(super) async fn keep(store: &Store, id: &str, end: Time) {
    let from = key(&store.settings.now().key_prefix, id);
    let to = beside(&from, ASIDE);
    let gateway = &store.script.gateway;
    let copied = gateway.call(redis::cmd("COPY").arg(&from).arg(&to).arg("REPLACE"), true, end).await;
    if copied.is_ok() {
        let _limited = gateway.call(redis::cmd("EXPIRE").arg(&to).arg(WEEK.as_secs()), true, end).await;
    }
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

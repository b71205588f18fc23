//! `client.encrypted`: what lies in Redis at the end shows no value.

use super::Finding;
use super::index::Index;
use super::tally::{Tally, Words};

/// How the finding is called: as the key of a scenario that asks for it.
pub const ENCRYPTED: &str = "client.encrypted";

const TITLE: &str = "values lie in Redis encrypted";

/// Judges a run whose scenario asks for it; `None` of any other.
pub(super) fn judge(index: &Index<'_>) -> Option<Finding> {
    if !index.rules().encrypted {
        return None;
    }
    let mut tally = Tally::default();
    for look in &index.looks {
        match look.plain {
            None => {}
            Some(false) => tally.judged(),
            Some(true) => tally.broken(look.to.entry, || {
                let says = format!(
                    "a value of {} lies in Redis in plain, though it was to be encrypted",
                    look.session
                );
                (says, vec![look.to.entry])
            }),
        }
    }
    let sessions = if tally.count() == 1 { "session" } else { "sessions" };
    let held = format!("{} {sessions} seen in Redis, and none shows its value", tally.count());
    let unseen =
        "nothing of a session was seen in Redis at the end; sessions that live on would make it known"
            .to_owned();
    Some(tally.named(ENCRYPTED, TITLE, index, Words { held, unseen }))
}

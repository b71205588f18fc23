//! What is done when Redis has lost its data, or may have, and what nobody needs any more.

use std::time::Duration;

use super::Sessions;
use crate::core::time::Time;

impl Sessions {
    /// Redis may have forgotten what it knew: everything that still matters is to be brought to it again.
    pub fn bring_all(&mut self, now: Time) {
        self.marked = Some(now);
        let wall = self.server.unix_ms(now);
        for id in self.local.ids() {
            let matters = self.local.entry(&id).is_some_and(|entry| entry.matters(wall, self.tombstone_ttl));
            if matters {
                self.local.change(&id, |entry| {
                    entry.marked |= !entry.dirty;
                    entry.dirty = true;
                });
                self.place(&id);
            }
        }
    }

    /// Redis has surely lost its data.
    pub fn data_lost(&mut self, now: Time) {
        self.lost = Some(now);
    }

    /// Whether Redis lost its data so lately that what it does not know may still be on its way from another instance.
    pub fn data_lost_lately(&self, now: Time) -> bool {
        self.lost.is_some_and(|at| now.since(at) < LOST_LATELY)
    }

    /// Drops some of what nobody needs any more.
    pub fn sweep(&mut self, now: Time) {
        self.local.sweep(SWEEP, self.server.unix_ms(now), self.tombstone_ttl);
    }

    /// When everything was last marked as lacking in Redis.
    pub fn marked(&self) -> Option<Time> {
        self.marked
    }
}

/// How long other instances may need to bring what Redis has lost.
const LOST_LATELY: Duration = Duration::from_secs(30);
/// Sessions that one sweep looks at.
const SWEEP: usize = 500;

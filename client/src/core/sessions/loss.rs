//! What is done when Redis has lost its data, or may have, and what nobody needs any more.

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

    /// Redis has surely lost its data. Another instance may need until then to bring what it knows.
    pub fn data_lost(&mut self, until: Time) {
        self.lost_until = Some(until);
    }

    /// Whether Redis lost its data so lately that what it does not know may still be on its way from another instance.
    pub fn data_lost_lately(&self, now: Time) -> bool {
        self.lost_until.is_some_and(|until| now < until)
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

/// Sessions that one sweep looks at.
const SWEEP: usize = 500;

//! What of the sessions goes to disk, so that it outlives the process: what was accepted here and Redis lacks.

use std::sync::Arc;

use bytes::Bytes;

use super::Sessions;
use crate::core::encoding::Damage;
use crate::core::saved::Saved;
use crate::core::time::Time;

/// What is to be changed on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskChange {
    /// The session is to lie there so.
    Put(Bytes),
    /// It need not lie there any more.
    Remove,
}

impl Sessions {
    /// What has to lie on disk before this session's last write can be acknowledged there; `None` when Redis has it all.
    pub fn save(&mut self, id: &str) -> Option<(Arc<str>, DiskChange)> {
        let synchronised = self.server.synchronised();
        self.local.entry(id).filter(|entry| entry.dirty)?;
        let id = self.local.id(id);
        let saved = self.local.change(&id, |entry| {
            entry.on_disk = true;
            let by_redis = if synchronised { entry.record.newest() } else { entry.by_redis };
            Saved { record: entry.record.clone(), latest_expiry: entry.latest_expiry, by_redis }
        });
        let bytes = saved.encode(&id);
        Some((id, DiskChange::Put(bytes)))
    }

    /// Takes in a session that an earlier process saved: Redis may lack it. To be done before anything else.
    ///
    /// # Errors
    ///
    /// When the bytes are not what was saved of this session.
    pub fn load(&mut self, now: Time, id: &str, bytes: &Bytes) -> Result<(), Damage> {
        let saved = Saved::decode(id, bytes)?;
        let wall = self.server.unix_ms(now);
        self.versions.observe(wall, saved.record.newest());
        let id = self.local.id(id);
        self.local.change(&id, |entry| {
            entry.record.merge(&saved.record);
            entry.latest_expiry = entry.latest_expiry.max(saved.latest_expiry);
            entry.by_redis = saved.by_redis;
            (entry.dirty, entry.on_disk) = (true, true);
        });
        self.place(&id);
        Ok(())
    }

    /// The sessions on disk that Redis has all of since they were saved.
    pub fn take_arrived(&mut self) -> Vec<(Arc<str>, DiskChange)> {
        self.local.take_arrived().into_iter().map(|id| (id, DiskChange::Remove)).collect()
    }
}

#[cfg(test)]
#[path = "saving_tests.rs"]
mod tests;

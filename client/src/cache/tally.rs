//! What happened in a cache, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::LoadError;
use crate::answer::ServedBy;

/// What happened in a cache since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Values that Redis had.
    pub hits: u64,
    /// Values that this instance's memory had while Redis could not be asked.
    pub local_hits: u64,
    /// Keys that surely had no value.
    pub misses: u64,
    /// Keys of which nothing could be known: Redis was away, and this instance did not know them.
    pub unknown: u64,
    /// Values that were damaged.
    pub damaged: u64,
    /// Values written.
    pub sets: u64,
    /// Keys deleted.
    pub deletes: u64,
    /// Values loaded.
    pub loads: u64,
    /// Loads that failed.
    pub load_failures: u64,
}

impl CacheStats {
    /// The share of reads that found a value, 0 to 1; `None` before the first.
    pub fn hit_ratio(&self) -> Option<f64> {
        let hits = self.hits + self.local_hits;
        let all = hits + self.misses + self.unknown + self.damaged;
        (all > 0).then(|| hits as f64 / all as f64)
    }
}

/// Counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    hits: AtomicU64,
    local_hits: AtomicU64,
    misses: AtomicU64,
    unknown: AtomicU64,
    damaged: AtomicU64,
    sets: AtomicU64,
    deletes: AtomicU64,
    loads: AtomicU64,
    load_failures: AtomicU64,
}

impl Tally {
    pub(super) fn hit(&self, served_by: ServedBy) {
        up(match served_by {
            ServedBy::Redis => &self.hits,
            ServedBy::Local => &self.local_hits,
        });
    }

    pub(super) fn miss(&self) {
        up(&self.misses);
    }

    pub(super) fn unknown(&self) {
        up(&self.unknown);
    }

    pub(super) fn damaged(&self) {
        up(&self.damaged);
    }

    pub(super) fn set(&self) {
        up(&self.sets);
    }

    pub(super) fn delete(&self) {
        up(&self.deletes);
    }

    pub(super) fn loaded(&self) {
        up(&self.loads);
    }

    pub(super) fn failed(&self, error: LoadError) -> LoadError {
        up(&self.load_failures);
        error
    }

    pub(super) fn read(&self) -> CacheStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheStats {
            hits: read(&self.hits),
            local_hits: read(&self.local_hits),
            misses: read(&self.misses),
            unknown: read(&self.unknown),
            damaged: read(&self.damaged),
            sets: read(&self.sets),
            deletes: read(&self.deletes),
            loads: read(&self.loads),
            load_failures: read(&self.load_failures),
        }
    }
}

fn up(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

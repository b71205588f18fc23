//! How many cores share the work on a history.

use std::thread;

use super::index::Index;

/// Operations of a history that takes longer than it takes to begin a thread.
const LONG: usize = 50_000;

/// All of the machine for a long history, else one.
pub(crate) fn cores_for(index: &Index<'_>) -> usize {
    if index.count() < LONG { 1 } else { thread::available_parallelism().map_or(1, usize::from) }
}

//! Which ids of operations have returned. A run numbers its operations, so sixty-four neighbours share a word.

use std::collections::HashMap;

use super::spread::Spread;

/// A set of ids.
#[derive(Debug, Default)]
pub(crate) struct Ids(HashMap<u64, u64, Spread>);

impl Ids {
    /// Adds an id; false if it was there.
    pub(crate) fn insert(&mut self, id: u64) -> bool {
        let (word, bit) = (self.0.entry(id / 64).or_default(), 1 << (id % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Whether it is there.
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.0.get(&(id / 64)).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let mut ids = Ids::default();
        for id in [0, 63, 64, u64::MAX, u64::MAX - 1] {
            assert!(!ids.contains(id) && ids.insert(id) && ids.contains(id) && !ids.insert(id), "{id}");
        }
        assert!(!ids.contains(1) && !ids.contains(65));
    }
}

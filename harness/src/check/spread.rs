//! Hashes names of operations, writes, sessions and connections, which mostly count up: one multiplication for each number spreads
//! them well enough. A history may come from anybody, so it begins at a number that nobody outside knows: else names could be chosen
//! that all collide.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// Another in each process.
static SECRET: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u64));

/// Makes hashers for names of operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread;

/// Hashes one name.
#[derive(Debug)]
pub(crate) struct Spreader(u64);

impl BuildHasher for Spread {
    type Hasher = Spreader;

    fn build_hasher(&self) -> Spreader {
        Spreader(*SECRET)
    }
}

impl Hasher for Spreader {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio in 64 bits, as Fibonacci hashing has it. Both halves of the product count, so that it has no inverse.
        let product = u128::from(self.0 ^ number) * 0x9E37_79B9_7F4A_7C15;
        self.0 = low(product) ^ low(product >> 64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the other half is taken by itself")]
fn low(product: u128) -> u64 {
    product as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn neighbours_have_places_of_their_own() {
        // Tables take the low bits for the place.
        for step in [1, 64, 1 << 20, 1 << 40, 1 << 52] {
            let places: HashSet<u64> = (0..4096).map(|n: u64| Spread.hash_one(n * step) % 65_536).collect();
            assert!(places.len() > 3000, "{step}: {}", places.len());
        }
    }

    #[test]
    fn numbers_of_each_width_have_places_of_their_own() {
        let short: HashSet<u64> = (0..1000_u16).map(|number| Spread.hash_one(number)).collect();
        let long: HashSet<u64> = (0..1000_u32).map(|number| Spread.hash_one(number)).collect();
        let native: HashSet<u64> = (0..1000_usize).map(|number| Spread.hash_one(number)).collect();
        assert_eq!((short.len(), long.len(), native.len()), (1000, 1000, 1000));
    }

    #[test]
    fn numbers_that_collide_without_the_secret_do_not_with_it() {
        let from = |start: u64, number: u64| {
            let mut hasher = Spreader(start);
            hasher.write_u64(number);
            hasher.finish() % 1024
        };
        let chosen: Vec<u64> = (0..).filter(|number| from(0, *number) == 0).take(100).collect();
        let places: HashSet<u64> = chosen.iter().map(|number| from(*SECRET, *number)).collect();
        assert!(places.len() > 50, "{} places", places.len());
    }
}

//! Hashes names of operations, writes, sessions and connections, which count up and which nobody outside chooses: one multiplication
//! for each number spreads them well enough.

use std::hash::{BuildHasher, Hasher};

/// Makes hashers for names of operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread;

/// Hashes one name.
#[derive(Debug)]
pub(crate) struct Spreader(u64);

impl BuildHasher for Spread {
    type Hasher = Spreader;

    fn build_hasher(&self) -> Spreader {
        Spreader(0)
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
        // The golden ratio in 64 bits, as Fibonacci hashing has it; the high bits are the good ones.
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

//! The server's own chance: everything random comes from its seed.

/// SplitMix64: small, fast, and good enough for run ids, samples and `math.random`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        if bound == 0 { 0 } else { usize::try_from(self.next() % bound).unwrap_or(0) }
    }

    /// Forty hexadecimal digits, as a run id has.
    pub(crate) fn hex40(&mut self) -> String {
        let digits: String = (0..3).map(|_| format!("{:016x}", self.next())).collect();
        digits[..40].to_owned()
    }
}

/// Scatters the bits of a number over all of it.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        assert_eq!(Random::new(7).hex40(), Random::new(7).hex40());
        assert_ne!(Random::new(7).hex40(), Random::new(8).hex40());
        assert_eq!(Random::new(7).hex40().len(), 40);
    }
}

//! Where chance comes from: one seed a run, and from it one generator for each use, by the name of the use.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of `seed` for the use named `label`. Each label has its own, so a new use shifts no other.
pub fn fork(seed: u64, label: &str) -> ChaCha8Rng {
    let mut key = [0; 32];
    let mut word = seed;
    for chunk in key.chunks_exact_mut(8) {
        for byte in label.bytes() {
            word = mix(word ^ u64::from(byte));
        }
        word = mix(word);
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// One step of SplitMix64 (Steele, Lea and Flood, 2014): every bit of the input moves every bit of the output.
pub(crate) fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn a_label_has_the_same_numbers_every_time_and_its_own() {
        let draw = |seed, label| fork(seed, label).random::<u64>();
        assert_eq!(draw(1, "load 0"), draw(1, "load 0"));
        let all = [draw(1, "load 0"), draw(1, "load 1"), draw(2, "load 0"), draw(1, ""), draw(0, "")];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one));
        }
    }
}

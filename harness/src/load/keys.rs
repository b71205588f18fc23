//! Which sessions the operations are about.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// How an operation's session is drawn from the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// Each session is as likely as any other.
    #[default]
    Uniform,
    /// The n-th session is drawn in proportion to 1/n to this power: few are hot, most are cold.
    Zipf(f64),
}

/// [`Keys`] made ready to draw from.
pub(super) enum Draw {
    Uniform(u32),
    /// The running sums of the weights.
    Weighted(Vec<f64>),
}

impl Draw {
    pub(super) fn new(keys: &Keys, sessions: u32) -> Self {
        match keys {
            Keys::Uniform => Self::Uniform(sessions.max(1)),
            Keys::Zipf(exponent) => {
                let weights = (1..=sessions.max(1)).map(|rank| f64::from(rank).powf(-exponent));
                let sums = weights.scan(0.0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                });
                Self::Weighted(sums.collect())
            }
        }
    }

    pub(super) fn session(&self, random: &mut impl Rng) -> u32 {
        match self {
            Self::Uniform(sessions) => random.random_range(0..*sessions),
            Self::Weighted(sums) => {
                let total = sums.last().copied().unwrap_or(0.0);
                let point = random.random::<f64>() * total;
                let rank = sums.partition_point(|sum| *sum <= point).min(sums.len().saturating_sub(1));
                u32::try_from(rank).unwrap_or(u32::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::fork;

    fn counts(keys: &Keys) -> Vec<u32> {
        let draw = Draw::new(keys, 10);
        let mut random = fork(1, "keys");
        let mut counts = vec![0; 10];
        for _ in 0..10_000 {
            counts[draw.session(&mut random) as usize] += 1;
        }
        counts
    }

    #[test]
    fn uniform_keys_are_drawn_alike() {
        assert!(counts(&Keys::Uniform).iter().all(|count| (850..1150).contains(count)));
    }

    #[test]
    fn zipf_keys_are_hot_in_front() {
        let counts = counts(&Keys::Zipf(1.1));
        // 1 / (1 + 2^-1.1 + ... + 10^-1.1) is 0.374.
        assert!((3500..4000).contains(&counts[0]), "{counts:?}");
        assert!(counts[0] > counts[1] && counts[1] > counts[4] && counts[4] > counts[9]);
    }

    #[test]
    fn a_pool_of_one_is_always_that_one() {
        let mut random = fork(1, "keys");
        assert_eq!(Draw::new(&Keys::Zipf(10.0), 1).session(&mut random), 0);
    }
}

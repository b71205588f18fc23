//! `bandwidth`: a thin link.

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Bend, Inject, Problem};
use crate::units::ByteRate;

/// Limits the bandwidth. Toxiproxy counts in whole kB (1000 bytes) a second, so the rate is rounded to that.
///
/// ```toml
/// faults = [{ inject.bandwidth = { rate = "16 KiB/s" }, direction = "downstream" }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes a second, 1 kB/s to 1 GB/s. For none at all use `stall`.
    pub rate: ByteRate,
}

impl Inject for Bandwidth {
    const EXAMPLE: &'static str = "inject.bandwidth = { rate = \"16 KiB/s\" }";

    fn act(&self) -> Act {
        Act::Bend(Bend::Bandwidth { rate: self.rate.0 })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        (1_u64..200).prop_map(|kilobytes| Self { rate: ByteRate(kilobytes * 1000) }).sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        if (1000..=1_000_000_000).contains(&self.rate.0) {
            return Vec::new();
        }
        let what = format!("rate is {}", self.rate);
        let cure =
            "it must be from 1 kB/s to 1 GB/s; to let no byte through use inject = \"stall\"".to_owned();
        vec![Problem { key: "rate", what, cure }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_nothing_is_refused_since_that_is_a_stall() {
        assert!(Bandwidth { rate: ByteRate(0) }.problems()[0].cure.contains("stall"));
    }
}

//! `bandwidth`: a thin link.

use serde::{Deserialize, Serialize};

use super::{Act, Inject, Problem, Toxic};
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
        let rate = ((self.rate.0 + 500) / 1000).max(1);
        Act::Bend(vec![Toxic { kind: "bandwidth", attributes: vec![("rate", rate)] }])
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
    fn the_rate_is_rounded_to_toxiproxys_kilobytes() {
        let rate = |bytes| Bandwidth { rate: ByteRate(bytes) }.act();
        let toxic = |rate| Act::Bend(vec![Toxic { kind: "bandwidth", attributes: vec![("rate", rate)] }]);
        assert_eq!(rate(16 * 1024), toxic(16));
        assert_eq!(rate(64 * 1024), toxic(66));
    }

    #[test]
    fn a_rate_of_nothing_is_refused_since_that_is_a_stall() {
        assert!(Bandwidth { rate: ByteRate(0) }.problems()[0].cure.contains("stall"));
    }
}

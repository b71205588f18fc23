//! `limit_data`: connections that are cut after some bytes.

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Bend, Inject, Problem, range};
use crate::units::Size;

/// Ends each connection when so many bytes have passed on it, in the middle of whatever passes then.
///
/// ```toml
/// faults = [{ inject.limit_data = { bytes = "8 KiB" }, direction = "downstream" }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitData {
    /// How many bytes, 1 B to 1 GiB, in each direction struck.
    pub bytes: Size,
}

impl Inject for LimitData {
    const EXAMPLE: &'static str = "inject.limit_data = { bytes = \"8 KiB\" }";

    fn act(&self) -> Act {
        Act::Bend(Bend::LimitData { bytes: self.bytes.0 })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        (1_u64..4000).prop_map(|bytes| Self { bytes: Size(bytes) }).sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        range::size("bytes", self.bytes, 1, 1024 * 1024 * 1024).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_in_bytes_and_never_in_none() {
        let act = LimitData { bytes: Size(8192) }.act();
        assert_eq!(act, Act::Bend(Bend::LimitData { bytes: 8192 }));
        assert_eq!(LimitData { bytes: Size(0) }.problems().len(), 1);
    }
}

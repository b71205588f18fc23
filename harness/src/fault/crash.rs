//! `crash`: instances end, and others take their places.

use proptest::arbitrary::any;
use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject};

/// Instances end when it begins. When it ends, new ones of the same numbers start, with the same settings and over the same link.
/// Nobody asks them meanwhile.
///
/// ```toml
/// faults = [{ inject.crash = { orderly = true }, on = ["instance-0"] }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Whether they are told to end: they are asked for nothing new, what they were asked for ends, then they shut down.
    /// Otherwise they are gone at once, in the middle of everything, as after kill -9.
    #[serde(default)]
    pub orderly: bool,
}

impl Inject for Crash {
    const EXAMPLE: &'static str = "inject.crash = { orderly = true }";

    fn act(&self) -> Act {
        Act::Crash { orderly: self.orderly }
    }

    fn drawn() -> SBoxedStrategy<Self> {
        any::<bool>().prop_map(|orderly| Self { orderly }).sboxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_unless_the_file_says_so() {
        assert_eq!(toml::from_str::<Crash>("").unwrap().act(), Act::Crash { orderly: false });
        assert_eq!(toml::from_str::<Crash>("orderly = true").unwrap().act(), Act::Crash { orderly: true });
    }
}

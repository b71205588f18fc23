//! `restart`: the server stops in order and comes back.

use proptest::sample;
use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, ServerAct};

/// Stops the server in order. It starts again when the fault ends, with its data or without.
///
/// ```toml
/// faults = [{ inject.restart = { data = "lost" } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Whether it has its data again. It has no default, since a scenario means one or the other.
    pub data: Data,
}

/// What becomes of the data in a [`Restart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// It is there again.
    Kept,
    /// It is gone.
    Lost,
}

impl Inject for Restart {
    const EXAMPLE: &'static str = "inject.restart = { data = \"lost\" }";

    fn act(&self) -> Act {
        Act::Server(ServerAct::Restart { keep_data: self.data == Data::Kept })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        sample::select([Data::Kept, Data::Lost].as_slice()).prop_map(|data| Self { data }).sboxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_whether_data_is_kept() {
        assert_eq!(Restart { data: Data::Kept }.act(), Act::Server(ServerAct::Restart { keep_data: true }));
        assert_eq!(Restart { data: Data::Lost }.act(), Act::Server(ServerAct::Restart { keep_data: false }));
    }
}

//! `reset`: connections end with RST.

use proptest::sample;
use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject};

/// Resets connections, truly (RST).
///
/// ```toml
/// faults = [{ inject.reset = { connections = "live" }, at = "1s", for = "100ms" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reset {
    /// Which connections.
    pub connections: Connections,
}

/// The connections that a [`Reset`] strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connections {
    /// Those that are open when it begins, idle or not.
    Live,
    /// Those that are opened while it lasts, at their first byte.
    New,
    /// Both.
    #[default]
    All,
}

impl Inject for Reset {
    const EXAMPLE: &'static str = "inject.reset = { connections = \"live\" }";

    fn act(&self) -> Act {
        match self.connections {
            Connections::Live => Act::Reset { live: true, new: false },
            Connections::New => Act::Reset { live: false, new: true },
            Connections::All => Act::Reset { live: true, new: true },
        }
    }

    fn drawn() -> SBoxedStrategy<Self> {
        sample::select([Connections::Live, Connections::New, Connections::All].as_slice())
            .prop_map(|connections| Self { connections })
            .sboxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_connections_are_struck_unless_the_file_says_which() {
        assert_eq!(Reset::default().act(), Act::Reset { live: true, new: true });
        assert_eq!(Reset { connections: Connections::New }.act(), Act::Reset { live: false, new: true });
    }
}

//! `stall`: bytes are held, and come in the end.

use serde::{Deserialize, Serialize};

use super::{Act, Inject, Toxic};

/// Holds every byte, and delivers it when the fault ends: nothing is lost, everything is late.
///
/// ```toml
/// faults = [{ inject = "stall", direction = "downstream" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {}

impl Inject for Stall {
    const EXAMPLE: &'static str = "inject = \"stall\"";

    fn act(&self) -> Act {
        // A bandwidth of zero is how Toxiproxy holds bytes without dropping them.
        Act::Bend(vec![Toxic { kind: "bandwidth", attributes: vec![("rate", 0)] }])
    }
}

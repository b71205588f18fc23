//! Faults: one file a kind, each with its parameters and what it does. Pure: a world carries out the [`Act`].

use serde::{Deserialize, Serialize};

/// What a fault does, in terms that a world can carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Bends the link between an instance and Redis while it lasts.
    Bend(Vec<Toxic>),
    /// Closes the port: live connections are reset, new ones refused.
    Refuse,
    /// Resets connections, truly (RST).
    Reset {
        /// Every connection that is live when it begins, idle or not.
        live: bool,
        /// Every connection opened while it lasts, at its first byte.
        new: bool,
    },
    /// Strikes the server itself.
    Server(ServerAct),
}

/// What can be done to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerAct {
    /// Stops it without ending it: connections stay, nothing answers (SIGSTOP).
    Pause,
    /// Ends it at once (SIGKILL); it starts again, empty, when the fault ends.
    Kill,
    /// Stops it in order; it starts again when the fault ends.
    Restart {
        /// Whether it has its data again.
        keep_data: bool,
    },
}

/// One bend of a link, in Toxiproxy's terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Toxic {
    /// Toxiproxy's name of the kind, such as `latency`.
    pub kind: &'static str,
    /// Its attributes, by Toxiproxy's names.
    pub attributes: Vec<(&'static str, u64)>,
}

impl Toxic {
    /// Whether no byte passes while it lasts: a black hole, or a link whose rate is zero.
    pub fn lets_nothing_through(&self) -> bool {
        let zero = |name| self.attributes.iter().any(|(attribute, value)| *attribute == name && *value == 0);
        self.kind == "timeout" || (self.kind == "bandwidth" && zero("rate"))
    }
}

/// Which way a fault bends a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the subject to Redis.
    Upstream,
    /// From Redis to the subject.
    Downstream,
    /// Both.
    #[default]
    Both,
}

//! Whether what a scenario asks for can be had where several servers belong together.

use super::document::{Path, root};
use super::file::{PhaseFault, Redis, Topology};
use super::sense::Sense;
use crate::fault::{Act, ServerAct};

/// Faults of a server that can strike one of several.
const STRIKE_ONE: &str = "\"kill\", \"pause\", \"client_kill\" and \"flush\"";

impl Topology {
    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
        }
    }
}

/// Tells what is wrong with the servers that a scenario asks for.
pub(super) fn check(sense: &mut Sense<'_, '_>, redis: &Redis) {
    let path = root("redis");
    if redis.topology == Topology::Cluster {
        let cure = "use topology = \"standalone\" or \"sentinel\"";
        sense.wrong(&path.key("topology"), "this version runs no cluster", cure);
        return;
    }
    if redis.topology == Topology::Standalone {
        return;
    }
    let name = redis.topology.name();
    let mut wrong = |key: &str, what: &str| {
        let cure = format!("remove `{key}`, or use topology = \"standalone\"");
        sense.wrong(&path.key(key), format!("{what} where the topology is {name:?}"), cure);
    };
    if redis.password {
        wrong("password", "nobody logs in");
    }
    if redis.tls {
        wrong("tls", "nobody speaks TLS");
    }
}

/// Tells what one of several servers cannot be struck by.
pub(super) fn check_fault(sense: &mut Sense<'_, '_>, path: &Path, fault: &PhaseFault, topology: Topology) {
    let Act::Server(act) = fault.inject.act() else { return };
    if topology != Topology::Standalone && !strikes_one(act) {
        let what = format!("{} cannot strike one of several servers", fault.inject.name());
        let cure = format!("{STRIKE_ONE} can; or use topology = \"standalone\"");
        sense.wrong(&path.key("inject"), what, cure);
    }
}

fn strikes_one(act: ServerAct) -> bool {
    match act {
        ServerAct::Kill | ServerAct::Pause | ServerAct::KillClients | ServerAct::Flush => true,
        ServerAct::Restart { .. }
        | ServerAct::Evict { .. }
        | ServerAct::MaxClients { .. }
        | ServerAct::Script { .. }
        | ServerAct::ClockJump { .. }
        | ServerAct::PasswordChange
        | ServerAct::Demote => false,
    }
}

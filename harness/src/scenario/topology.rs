//! Whether what a scenario asks for can be had where several servers belong together.

use super::document::{Path, root};
use super::file::{File, PhaseFault, Redis, Topology};
use super::sense::Sense;
use crate::check::Metric;
use crate::fault::{Act, ServerAct};
use crate::history::Rules;
use crate::load::Through;

/// Faults of a server that can strike one of several.
const STRIKE_ONE: &str = "\"kill\", \"pause\", \"client_kill\" and \"flush\"";

/// Among how many shards the reference client divides sessions in a cluster: each of three primaries holds some.
pub const SHARDS: u16 = 8;

/// A shard asks each node of the cluster at most where its keys are, while it opens a connection.
const NODES: u64 = 6;

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

/// Has the rules count what each shard may have, where there are shards. A local copy is judged by its own bound.
pub(super) fn divide(rules: &mut Rules, topology: Topology) {
    if topology == Topology::Cluster {
        rules.shards = SHARDS;
        rules.connections = rules.connections.saturating_add(NODES).saturating_mul(SHARDS.into());
        rules.in_flight = rules.in_flight.saturating_mul(SHARDS.into());
    }
}

/// Tells what is wrong with the servers that a scenario asks for.
pub(super) fn check(sense: &mut Sense<'_, '_>, redis: &Redis) {
    let path = root("redis");
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
    if redis.database != 0 && redis.topology == Topology::Cluster {
        wrong("database", "there is only database 0");
    }
}

/// Tells what a scenario asks for beside the servers that has no meaning where sessions are divided among shards.
pub(super) fn check_file(sense: &mut Sense<'_, '_>, file: &File) {
    if file.redis.topology != Topology::Cluster {
        return;
    }
    if file.load.through != Through::Sessions {
        let what = format!("in a cluster there is no interface `{}`", file.load.through.name());
        sense.wrong(&root("load").key("through"), what, "write through = \"sessions\", or remove it");
    }
    let mut untold = |path: &Path, what: &str| {
        let what = format!("in a cluster each shard has {what} of its own, and nothing is told of them");
        sense.wrong(path, what, "expect what operations show, such as of = \"get.local_rate\"");
    };
    let expect = root("expect");
    for index in 0..file.expect.breaker.len() {
        untold(&expect.key("breaker").index(index), "a breaker");
    }
    for (index, metric) in file.expect.metric.iter().enumerate() {
        if let Some(what) = told_of(metric.of) {
            untold(&expect.key("metric").index(index).key("of"), what);
        }
    }
    for (index, sometimes) in file.expect.sometimes.iter().enumerate() {
        let path = expect.key("sometimes").index(index);
        if let Some(what) = sometimes.of.and_then(told_of) {
            untold(&path.key("of"), what);
        }
        if sometimes.seen.is_some_and(|seen| seen.breaker.is_some() || seen.mode.is_some()) {
            untold(&path.key("seen"), "a breaker and a mode");
        }
    }
}

/// What a figure is computed from that an instance tells of itself.
fn told_of(metric: Metric) -> Option<&'static str> {
    match metric {
        Metric::OkRate(_) | Metric::LocalRate(_) | Metric::ReplicatedRate(_) | Metric::Latency(..) => None,
        Metric::ResyncDuration => Some("a resync"),
        Metric::BreakerOpenedAfter | Metric::BreakerClosedAfter => Some("a breaker"),
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

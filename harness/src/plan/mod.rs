//! A scenario with a seed: every step and operation fixed before the run begins.

mod build;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use rand::RngExt as _;
use squall_client::Profile;
use squall_client::seal::KEY_LENGTH;

use crate::check::{Allow, Canary, Expect};
use crate::fault::{Act, Direction, Eviction, Matching, ServerAct};
use crate::history::{Effect, End, PhaseSpan, Rules};
use crate::load::value::{Mark, mark};
use crate::load::{Many, Operation, Through};
use crate::scenario::Redis;
use crate::seed::fork;

/// Everything that a run will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name: its path below the scenarios folder without `.toml`.
    pub scenario: String,
    /// What the scenario proves.
    pub proves: String,
    /// The promises that it puts to the test.
    pub origin: Vec<String>,
    /// The seed that every choice comes from.
    pub seed: u64,
    /// The settings of the subject: the `[client]` table with its profile resolved.
    pub settings: serde_json::Value,
    /// Whether instances keep on disk what they accept without Redis.
    pub disk: bool,
    /// Set where instances take the route to Redis from variables of the environment: the profile whose variables they are.
    pub environment: Option<Profile>,
    /// The server that the scenario asks for.
    pub redis: Redis,
    /// How many instances.
    pub instances: u16,
    /// How many sessions the pool has.
    pub sessions: u32,
    /// Whether operations of one instance on one session may overlap.
    pub overlap: bool,
    /// The interface of the subject through which the operations are made.
    pub through: Through,
    /// `setup`, then the scenario's phases.
    pub phases: Vec<PhaseSpan>,
    /// The faults, by number, in the order of the file.
    pub strikes: Vec<Strike>,
    /// Each instance's operations in order of time. The first ones create every session of the pool.
    pub operations: Vec<Vec<Operation>>,
    /// The rules of judgement, still without what the subject can do.
    pub rules: Rules,
    /// What the scenario expects beyond the invariants.
    pub expect: Expect,
    /// Checks that the scenario waives.
    pub allow: Vec<Allow>,
    /// The check that must fail, and the flaw that it must find, if the scenario is there to see that.
    pub canary: Option<Canary>,
}

/// One fault with its window.
#[derive(Clone, Debug, PartialEq)]
pub struct Strike {
    /// Its kind and parameters, for people.
    pub what: String,
    /// What it does.
    pub act: Act,
    /// The instances it strikes (none named: all).
    pub instances: Vec<u16>,
    /// Whether it strikes one of several servers: whichever is the primary when it begins.
    pub of_several: bool,
    /// Which way it bends the link.
    pub direction: Direction,
    /// The share of connections it strikes, or of commands, 0 to 1.
    pub probability: f64,
    /// The commands it strikes, if it strikes commands.
    pub matching: Matching,
    /// When it begins, in nanoseconds since the start of the run.
    pub from: u64,
    /// When it ends, in nanoseconds since the start of the run.
    pub to: u64,
}

impl Plan {
    /// The key that instances encrypt values with, where they are to. It comes from the seed, so it stands in no file, and a plan
    /// that runs again has the same.
    pub fn encryption(&self) -> Option<[u8; KEY_LENGTH]> {
        self.rules.encrypted.then(|| fork(self.seed, "encryption").random())
    }

    /// What the values of all its writes are known by.
    pub fn marks(&self) -> HashSet<Mark> {
        let all = self.operations.iter().flatten();
        all.filter_map(|operation| Some(mark(operation.value?.0, operation.session))).collect()
    }

    /// The kinds of request on several sessions that its load has.
    pub fn several(&self) -> impl Iterator<Item = Many> {
        let operations = self.operations.iter().flatten();
        let several = operations.filter_map(|operation| Some(operation.several.as_ref()?.what));
        several.collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether between these times, in nanoseconds since the start of the run, Redis has all that anybody accepted: no fault
    /// strikes, and none did so lately that something may still have to be brought.
    pub fn is_settled(&self, from: u64, to: u64) -> bool {
        let Rules { resync_within, resync_within_if_open, .. } = &self.rules;
        let within = resync_within_if_open.unwrap_or(*resync_within);
        let within = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        self.strikes.iter().all(|strike| to < strike.from || strike.to.saturating_add(within) < from)
    }

    /// How long the run lasts until the final reads.
    pub fn length(&self) -> Duration {
        Duration::from_nanos(self.phases.last().map_or(0, |phase| phase.to))
    }
}

impl Strike {
    /// Of the links of all instances, in their order, those that it bends: all where it names no instance.
    pub(crate) fn bent<'a, T>(&'a self, links: &'a [T]) -> impl Iterator<Item = &'a T> {
        let named = |number: usize| self.instances.iter().any(|instance| usize::from(*instance) == number);
        let all = links.iter().enumerate();
        all.filter(move |(number, _)| self.instances.is_empty() || named(*number)).map(|(_, link)| link)
    }

    /// What it does to those it strikes, for the checks. Total only when it strikes every connection.
    pub fn effect(&self) -> Effect {
        if let (true, Act::Server(act)) = (self.of_several, &self.act) {
            return of_one(*act, Duration::from_nanos(self.to.saturating_sub(self.from)));
        }
        let (stops_all, loses_data) = match &self.act {
            Act::Refuse => (true, false),
            Act::Reset { live: _, new } => (*new, false),
            Act::Bend(bend) => (bend.lets_nothing_through(), false),
            Act::Answer(_) | Act::SlowAccept { .. } | Act::HalfOpen | Act::Crash { .. } => (false, false),
            Act::Unreachable
            | Act::Server(ServerAct::Pause | ServerAct::Script { .. } | ServerAct::PasswordChange) => {
                (true, false)
            }
            Act::Server(ServerAct::KillClients | ServerAct::MaxClients { .. } | ServerAct::Demote) => {
                (false, false)
            }
            Act::Server(ServerAct::Flush) => (false, true),
            Act::Server(ServerAct::Evict { policy, .. }) => (false, *policy != Eviction::Noeviction),
            // What has expired by a clock that is ahead is gone when it is right again; what was written by one that is behind
            // expires when it is right again.
            Act::Server(ServerAct::ClockJump { .. }) => (false, true),
            Act::Server(ServerAct::Kill) => (true, true),
            Act::Server(ServerAct::Restart { keep_data }) => (true, !keep_data),
        };
        let strikes_commands = matches!(self.act, Act::Answer(_));
        let ends_it = matches!(self.act, Act::Server(act) if act.ends_it());
        let spares_redis = !loses_data && !ends_it;
        let clock_off_ms = match self.act {
            Act::Server(ServerAct::ClockJump { by, .. }) => u64::try_from(by.as_millis()).unwrap_or(u64::MAX),
            Act::Server(_)
            | Act::Bend(_)
            | Act::Refuse
            | Act::Reset { .. }
            | Act::Answer(_)
            | Act::SlowAccept { .. }
            | Act::HalfOpen
            | Act::Unreachable
            | Act::Crash { .. } => 0,
        };
        let ends_instances = match self.act {
            Act::Crash { orderly: true } => Some(End::Orderly),
            Act::Crash { orderly: false } => Some(End::Killed),
            _ => None,
        };
        let total = stops_all && self.probability >= 1.0;
        Effect {
            total,
            loses_data,
            strikes_commands,
            spares_redis,
            clock_off_ms,
            ends_instances,
            ..Effect::default()
        }
    }
}

/// How long a server must be away at least so that another surely has its place. One that comes back before that may be the
/// primary still, and empty.
const REPLACED_AFTER: Duration = Duration::from_secs(5);

/// What a fault does that strikes one of several servers. Another takes its place while it lasts, so it stops nobody for good; and
/// that one lacks what it had not been sent yet, so it may lose what was acknowledged.
fn of_one(act: ServerAct, lasts: Duration) -> Effect {
    let is_replaced = act.deafens();
    Effect {
        total: false,
        loses_data: is_replaced || act == ServerAct::Flush,
        strikes_commands: false,
        spares_redis: !is_replaced && act != ServerAct::Flush,
        spares_replicas: is_replaced && lasts >= REPLACED_AFTER,
        clock_off_ms: 0,
        ends_instances: None,
    }
}

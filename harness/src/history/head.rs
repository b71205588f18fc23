//! The first line of a history: who ran what, and the rules that the run is judged by, so that a saved history can be judged
//! again without its scenario file.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check::{self, Allow, Canary, Expect};

/// The version of the history's form. It grows when an old reader would misread a new history.
pub const SCHEMA: u32 = 1;

/// Instances that a run can have at most.
pub const MOST_INSTANCES: u16 = 64;

/// Sessions that the pool of a run can have at most.
pub const MOST_SESSIONS: u32 = 1_000_000;

/// Who ran what, and the rules of judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// The scenario's name: its path below the scenarios folder without `.toml`.
    pub scenario: String,
    /// What the scenario proves.
    pub proves: String,
    /// The promises that it puts to the test, such as `chatbot: automatic fallback`.
    pub origin: Vec<String>,
    /// The seed of the plan.
    pub seed: u64,
    /// The world, such as `containers`.
    pub world: String,
    /// What the world says of itself, such as the route and the versions.
    pub world_notes: Vec<String>,
    /// The subject, as it named itself.
    pub subject: String,
    /// Where a session lies in Redis, with `{session}` for its name and `{shard}` for the number of its shard, as the subject says;
    /// empty where a history does not tell.
    #[serde(default)]
    pub key: String,
    /// Settings that the subject said it ignored.
    pub ignored: Vec<String>,
    /// How many instances there are.
    pub instances: u16,
    /// How many sessions the load's pool has.
    pub sessions: u32,
    /// How many faults the plan has; they are numbered from 0.
    pub faults: u32,
    /// The phases as planned, `setup` first.
    pub phases: Vec<PhaseSpan>,
    /// The rules.
    pub rules: Rules,
    /// What the scenario expects beyond the invariants.
    pub expect: Expect,
    /// Checks that the scenario waives, with the reason.
    pub allow: Vec<Allow>,
    /// The check that must fail, if the scenario is there to see that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
}

impl Head {
    /// What it says that no run can have, if anything: the checks would judge by it.
    pub fn problem(&self) -> Option<String> {
        let mut before = 0;
        for PhaseSpan { name, from, to } in &self.phases {
            if from > to || *from < before {
                return Some(format!(
                    "the phase {name:?} is from {from} to {to}, and the one before it ends at {before}: phases follow each other"
                ));
            }
            before = *to;
        }
        let BreakerRule { failure_rate, jitter, .. } = self.rules.breaker;
        for (name, share) in [("failure_rate", failure_rate), ("jitter", jitter)] {
            if !(0.0..=1.0).contains(&share) {
                return Some(format!("`rules.breaker.{name}` is {share}; it must be from 0 to 1"));
            }
        }
        let known = |name: &str| check::all().iter().any(|check| check.name() == name);
        let unknown = self.allow.iter().find(|allow| !known(&allow.check))?;
        Some(format!("`allow` waives {:?}, and there is no such check", unknown.check))
    }
}

/// A phase as planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseSpan {
    /// Its name.
    pub name: String,
    /// Its start in nanoseconds since the start of the run.
    pub from: u64,
    /// Its end in nanoseconds since the start of the run.
    pub to: u64,
}

/// The figures that the checks use; `[judge]` of a scenario sets some of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// What the subject can do; a check that needs more is skipped.
    pub can: BTreeSet<Capability>,
    /// R: how long after the last fault all must be right.
    pub resync_within: Duration,
    /// R where a breaker was not closed when the last fault was over, or opened after it: while one cools down nothing is brought.
    /// `None` where that makes no difference, or the scenario names R itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resync_within_if_open: Option<Duration>,
    /// e: how far clocks and scheduling may blur an expiry or an order.
    pub clock_slack: Duration,
    /// d: how far the TTL that Redis holds may be from what it should be.
    pub ttl_slack: Duration,
    /// The budget of each operation (I15).
    pub response_within: Duration,
    /// D1: how soon after the start of an outage with enough calls a breaker must open.
    pub open_within: Duration,
    /// D2: how soon after the end of the last fault a breaker must be closed.
    pub close_within: Duration,
    /// Among how many shards each instance divides the sessions, each with a breaker, a resync and connections of its own. Of several
    /// breakers and resyncs nothing is told. 1 where a history does not tell.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub shards: u16,
    /// The most connections an instance may have open at once (I17).
    pub connections: u64,
    /// The most operations of the load that may be in flight at once on one instance (I17).
    pub in_flight: u64,
    /// The most bytes an instance's local copy may hold (I17).
    pub local_bytes: u64,
    /// The most sessions an instance's local copy may hold; `None` where a history does not tell: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_sessions: Option<u64>,
    /// The breaker's own rule.
    pub breaker: BreakerRule,
    /// How calls are tried again; `None` where a history does not tell.
    #[serde(default)]
    pub retry: Option<RetryRule>,
    /// Whether values are to lie in Redis encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
}

fn one() -> u16 {
    1
}

fn is_one(count: &u16) -> bool {
    *count == 1
}

/// How often and how soon the subject may try a call again. Where classes of calls have rules of their own, the most that one allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRule {
    /// Attempts after the first.
    pub retries: u32,
    /// Upper bound of the first wait.
    pub base: Duration,
    /// Upper bound of every wait.
    pub cap: Duration,
}

/// When the subject's breaker should open, and how long it should stay so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerRule {
    /// Failures in a row that open it.
    pub failures: u32,
    /// Share of failures in the window that opens it, 0 to 1.
    pub failure_rate: f64,
    /// The sliding window.
    pub window: Duration,
    /// Calls in the window below which the rate is not judged.
    pub min_calls: u32,
    /// The first cool-down.
    pub cool_down: Duration,
    /// What repeated trips let it grow to.
    pub cool_down_max: Duration,
    /// Share of the cool-down that chance may add or take away, 0 to 1.
    pub jitter: f64,
    /// Probes at once when half-open.
    pub probes: u32,
    /// Whether it is the only one: no class of calls has one of its own, which nobody tells. Where a history does not tell, no.
    #[serde(default)]
    pub alone: bool,
}

/// Something that a subject can do, as it says in its answer to `init`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Serves operations while Redis is away.
    Fallback,
    /// Has a breaker and tells its changes.
    Breaker,
    /// Brings to Redis what it accepted locally.
    Resync,
    /// Answers `ttl` and `touch`.
    Ttl,
    /// Tells samples of its queue, memory and connections.
    Samples,
    /// Tells its metrics when asked.
    Metrics,
    /// Tells the lines of its log when asked.
    Log,
    /// Tells how it is when asked.
    Health,
    /// Tells its settings when asked.
    Settings,
    /// Tells how many sessions there are when asked.
    Sessions,
    /// Makes a backup of all sessions when asked, and restores it.
    Backup,
    /// Tells what it says to settings that are wrong when asked.
    Refusals,
    /// Has sessions with data and metadata, as an interface of its own.
    Store,
    /// Has a cache, as an interface of its own.
    Cache,
    /// Has routes over HTTP, as an interface of its own.
    Http,
    /// Reads several sessions with one request.
    ReadMany,
    /// Ends all sessions with one request.
    Clear,
    /// Encrypts values before they go to Redis.
    Encryption,
    /// Takes where Redis is, and as whom to speak to it, from variables of the environment.
    Environment,
    /// What it accepts locally lies on disk before it is acknowledged, and the next instance with the same folder brings it to Redis.
    Durable,
}

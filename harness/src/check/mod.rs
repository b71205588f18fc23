//! Checks: what must hold of a history, and the verdict on each.
//!
//! A check is a pure function of a history. It passes only when it saw something that could have contradicted it; when it saw
//! nothing it says [`Verdict::Unknown`], and what would make it known. `docs/checks.md` defines each in precise words.

mod amplification;
mod bounded_resources;
mod bounded_response;
mod breaker_live;
mod breaker_safe;
mod canary;
mod command;
mod conflicts;
mod convergence;
mod cores;
mod doubts;
mod encrypted;
mod expect;
mod expect_breaker;
mod expect_metric;
mod expect_sometimes;
mod expect_told;
mod expiry;
mod faults;
mod finding;
mod floor;
mod gather;
mod ids;
mod index;
mod integrity;
mod judge;
pub(crate) mod keys;
mod lane;
mod lives;
mod met;
mod monotonic_reads;
mod monotonic_writes;
mod nearest;
mod no_lost_write;
mod no_resurrection;
mod operation;
mod overtaken;
mod permanent_errors;
mod place;
mod read_your_writes;
mod reads;
mod recovery;
mod refused_logins;
mod resync_idempotent;
mod resyncs;
mod retry_discipline;
mod retry_runs;
mod session;
mod setters;
mod sightings;
mod spread;
mod story;
mod tally;
#[cfg(test)]
mod tests;
mod trouble;
mod truthful_resync;
mod truthful_service;
mod truthful_telemetry;
mod ttl_lower;
mod ttl_survives;
mod ttl_upper;
mod validity;
mod wire;
mod words;

pub use canary::Canary;
pub use encrypted::ENCRYPTED;
pub use expect::{
    Allow, BreakerExpectation, Comparison, Expect, Metric, MetricExpectation, OnInstances, Operator,
};
pub use expect_sometimes::{Seen, SometimesExpectation};
pub use expect_told::ToldExpectation;
pub use finding::{Finding, Verdict};
pub use gather::Gather;
pub use index::Index;
pub use judge::{Judgement, judge, judge_index};

use crate::history::Capability;

/// Something that must hold of every history.
pub trait Check: Sync {
    /// Its short name, such as `I3`.
    fn name(&self) -> &'static str;
    /// What it demands, in a few words, such as `read your writes`.
    fn title(&self) -> &'static str;
    /// What a subject must be able to do to be judged by it.
    fn needs(&self) -> &'static [Capability] {
        &[]
    }
    /// Whether it judges what an instance tells of its breaker or its resync. Where there are several nothing is told.
    fn follows_what_is_told(&self) -> bool {
        false
    }
    /// Judges a history.
    fn judge(&self, index: &Index<'_>) -> Finding;
}

/// Every invariant.
pub fn all() -> [&'static dyn Check; 18] {
    [
        &no_lost_write::NoLostWrite,
        &integrity::Integrity,
        &read_your_writes::ReadYourWrites,
        &monotonic_reads::MonotonicReads,
        &monotonic_writes::MonotonicWrites,
        &no_resurrection::NoResurrection,
        &ttl_upper::TtlUpper,
        &ttl_lower::TtlLower,
        &ttl_survives::TtlSurvives,
        &convergence::Convergence,
        &conflicts::Conflicts,
        &resync_idempotent::ResyncIdempotent,
        &breaker_safe::BreakerSafe,
        &breaker_live::BreakerLive,
        &bounded_response::BoundedResponse,
        &retry_discipline::RetryDiscipline,
        &bounded_resources::BoundedResources,
        &truthful_telemetry::TruthfulTelemetry,
    ]
}

//! Checks: what must hold of a history, and the verdict on each.
//!
//! A check is a pure function of a history. It passes only when it saw something that could have contradicted it; when it saw
//! nothing it says [`Verdict::Unknown`], and what would make it known.

mod expect;
mod finding;

pub use expect::{
    Allow, BreakerExpectation, Comparison, Expect, Metric, MetricExpectation, OnInstances, Operator,
};
pub use finding::{Finding, Verdict};

use std::collections::BTreeSet;

use crate::history::{Capability, History};

/// Something that must hold of every history.
pub trait Check: Sync {
    /// Its short name, such as `I3`.
    fn name(&self) -> &'static str;
    /// What it demands, in a few words, such as `read your writes`.
    fn title(&self) -> &'static str;
    /// What a subject must be able to do to be judged by it.
    fn needs(&self) -> BTreeSet<Capability>;
    /// Judges a history.
    fn judge(&self, history: &History) -> Finding;
}

/// What all checks together found.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What each check found.
    pub findings: Vec<Finding>,
    /// The verdict on the run.
    pub verdict: Verdict,
}

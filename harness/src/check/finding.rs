//! What a check found.

use serde::{Deserialize, Serialize};

use super::ENCRYPTED;
use crate::history::Entry;

/// The verdict of a check or of a whole run. The order is that in which they outweigh each other: the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not judged, for a reason that is said: the subject or the world cannot do what it needs.
    Skipped,
    /// It held, and something was seen that could have broken it.
    Pass,
    /// Nothing was seen that could have broken it.
    Unknown,
    /// The run itself went wrong, so it says nothing about the subject.
    Invalid,
    /// It was broken.
    Fail,
}

/// What a check found, with the smallest witness of a failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The check's name, such as `I3` or `expect.metric[0]`.
    pub check: String,
    /// What it demands, in a few words.
    pub title: String,
    /// The verdict.
    pub verdict: Verdict,
    /// One or two plain sentences: what was promised and what happened, why it is unknown, or why it was skipped.
    pub says: String,
    /// How many things it looked at that could have broken it.
    pub judged: u64,
    /// How many of those broke it.
    pub broken: u64,
    /// For a failure: the few entries that contradict each other, in order, with the faults around them.
    pub witness: Vec<Entry>,
    /// The reason a scenario gives for waiving it, if it does; a waived failure does not fail the run.
    pub waived: Option<String>,
}

impl Finding {
    /// Whether it is about what its scenario asks for beyond the invariants.
    pub fn is_of_scenario(&self) -> bool {
        self.check.starts_with("expect.") || self.check == ENCRYPTED
    }
}

//! The checks on hand-written histories of a few events, and on histories of a correct model.

mod bounds;
mod breaker;
mod conflicts;
mod cool_down;
mod crashes;
mod dropped;
mod encrypted;
mod expectations;
mod extremes;
mod judging;
mod life;
mod model;
mod order;
mod overtaken;
mod replicas;
mod resync;
mod retries;
mod sometimes;
mod story;
mod telemetry;
mod told;
mod ttl;
mod values;
mod wide;
mod witness;

use super::{Finding, Verdict, all};
use crate::check::index::Index;
use crate::history::History;

/// What the check of this name finds.
fn finding(history: &History, name: &str) -> Finding {
    let check = all().into_iter().find(|check| check.name() == name).unwrap();
    check.judge(&Index::new(history))
}

/// The verdict of the check of this name on the story.
fn verdict(name: &str, story: &str) -> Verdict {
    finding(&story::history(story), name).verdict
}

#[track_caller]
fn passes(name: &str, story: &str) {
    let finding = finding(&story::history(story), name);
    assert_eq!(finding.verdict, Verdict::Pass, "{}", finding.says);
}

/// The check fails, with a witness of at most seven entries; returns what it says.
#[track_caller]
fn fails(name: &str, story: &str) -> String {
    let finding = finding(&story::history(story), name);
    assert_eq!(finding.verdict, Verdict::Fail, "{}", finding.says);
    assert!(!finding.witness.is_empty() && finding.witness.len() <= 7, "{:?}", finding.witness);
    assert!(finding.witness.is_sorted_by_key(|entry| entry.t));
    finding.says
}

#[track_caller]
fn unknown(name: &str, story: &str) {
    let finding = finding(&story::history(story), name);
    assert_eq!(finding.verdict, Verdict::Unknown, "{}", finding.says);
    assert!(
        finding.says.contains("would make it known") || finding.says.contains("no operation"),
        "{}",
        finding.says
    );
}

#[test]
fn an_empty_history_leaves_every_check_unknown() {
    for check in all() {
        assert_eq!(verdict(check.name(), ""), Verdict::Unknown, "{}", check.name());
    }
}

#[test]
fn every_check_is_defined_by_the_name_and_the_title_that_it_has() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/checks.md")).unwrap();
    for check in all() {
        let row = format!("| {} | {} |", check.name(), check.title());
        assert!(text.contains(&row), "docs/checks.md lacks the row {row}");
    }
}

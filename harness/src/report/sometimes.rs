//! What must happen in at least one run of a scenario: the findings of all its runs put together. No run fails by it; the suite is
//! unknown where none showed it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::one_line;
use super::result::RunResult;
use crate::check::Verdict;

/// One `[[expect.sometimes]]` over all runs of its scenario in one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sometimes {
    /// The scenario.
    pub scenario: String,
    /// The world.
    pub world: String,
    /// Its name, such as `expect.sometimes[0]`.
    pub check: String,
    /// What must happen.
    pub title: String,
    /// How many runs were judged by it.
    pub runs: usize,
    /// How many of them showed it.
    pub shown: usize,
    /// Why the last run that did not show it did not.
    pub says: String,
}

impl Sometimes {
    /// Whether any run showed it.
    pub fn is_met(&self) -> bool {
        self.shown > 0
    }
}

/// Everything that must happen in some of these runs. Runs that went wrong count for nothing, and neither do those of a subject
/// that cannot show it.
pub fn sometimes(results: &[RunResult]) -> Vec<Sometimes> {
    let mut found: BTreeMap<(&str, &str, &str), Sometimes> = BTreeMap::new();
    for result in results.iter().filter(|result| result.verdict != Verdict::Invalid) {
        let judged = result.findings.iter().filter(|finding| finding.is_of_suite());
        for finding in judged.filter(|finding| finding.verdict != Verdict::Skipped) {
            let key = (result.scenario.as_str(), result.world.as_str(), finding.check.as_str());
            let one = found.entry(key).or_insert_with(|| Sometimes {
                scenario: result.scenario.clone(),
                world: result.world.clone(),
                check: finding.check.clone(),
                title: finding.title.clone(),
                runs: 0,
                shown: 0,
                says: String::new(),
            });
            one.runs += 1;
            if finding.verdict == Verdict::Pass {
                one.shown += 1;
            } else {
                one.says.clone_from(&finding.says);
            }
        }
    }
    found.into_values().collect()
}

/// A paragraph for each that no run showed; empty when there is none.
pub fn unmet(results: &[RunResult]) -> String {
    let mut out = String::new();
    for one in sometimes(results).iter().filter(|one| !one.is_met()) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "unknown  {}  {}  {}: {}\n           {}: {}",
            one_line(&one.scenario),
            one_line(&one.world),
            one_line(&one.check),
            one_line(&one.title),
            in_none_of(one.runs),
            one_line(&one.says)
        );
    }
    out
}

/// `in none of 20 runs`.
pub(super) fn in_none_of(runs: usize) -> String {
    if runs == 1 { "not in the one run".to_owned() } else { format!("in none of {runs} runs") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Finding;
    use crate::report::samples;

    fn run(seed: u64, verdict: Verdict) -> RunResult {
        let mut result = samples::passed();
        let check = "expect.sometimes[0]".to_owned();
        let says = "of 90 operations that began none did while the breaker was half-open".to_owned();
        let title = "in some run get begins while the breaker is half-open".to_owned();
        result.findings.push(Finding { check, title, says, verdict, ..result.findings[0].clone() });
        RunResult { seed, ..result }
    }

    #[test]
    fn one_run_that_shows_it_is_enough() {
        let results = [run(1, Verdict::Unknown), run(2, Verdict::Pass), run(3, Verdict::Unknown)];
        let found = sometimes(&results);
        assert_eq!((found.len(), found[0].runs, found[0].shown), (1, 3, 1));
        assert_eq!(unmet(&results), "");
    }

    #[test]
    fn what_no_run_shows_is_told_with_what_would_make_it_known() {
        insta::assert_snapshot!(unmet(&[run(1, Verdict::Unknown), run(2, Verdict::Unknown)]), @"
        unknown  breaker/opens-and-closes  containers  expect.sometimes[0]: in some run get begins while the breaker is half-open
                   in none of 2 runs: of 90 operations that began none did while the breaker was half-open
        ");
    }

    #[test]
    fn each_world_must_show_it_and_runs_that_say_nothing_count_for_nothing() {
        let mut elsewhere = run(1, Verdict::Unknown);
        elsewhere.world = "sim".to_owned();
        let found = sometimes(&[run(1, Verdict::Pass), elsewhere]);
        assert_eq!(found.iter().map(Sometimes::is_met).collect::<Vec<_>>(), [true, false]);
        let invalid = RunResult { verdict: Verdict::Invalid, ..run(1, Verdict::Unknown) };
        assert_eq!(sometimes(&[invalid, run(1, Verdict::Skipped), samples::no_world()]), []);
    }
}

//! The verdict on a run: the invariants, what the scenario expects, and whether the run says anything at all.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::cores::cores_for;
use super::index::Index;
use super::tally::not_judged;
use super::{
    Check, Finding, Verdict, all, canary, encrypted, expect_breaker, expect_metric, expect_sometimes,
    expect_told, validity,
};
use crate::history::{Capability, History};

/// What all checks together found.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What each check found.
    pub findings: Vec<Finding>,
    /// The verdict on the run.
    pub verdict: Verdict,
}

/// Judges a history by every invariant, and by what its scenario expects.
///
/// The verdict on the run:
/// - invalid, if the run says nothing about the subject, whatever else was found;
/// - else failed, if anything failed that the scenario does not waive;
/// - else unknown, if a fault struck none of the commands that it is meant for, an expectation of the scenario is unknown, or all invariants are: an invariant that saw nothing in this run is
///   shown as unknown, and counts for nothing;
/// - else passed.
///
/// What must happen in some run of the suite does not count here. A canary's verdict is whether it failed as it must.
pub fn judge(history: &History) -> Judgement {
    judge_index(&Index::new(history))
}

/// The same of a history that was put in order already. Ask the index afterwards whether it [lost](Index::lost) an entry.
pub fn judge_index(index: &Index<'_>) -> Judgement {
    let run = validity::judge(index);
    let invariants = invariants(index);
    let expectations = expectations(index);
    let mut verdict = verdict(&run, &invariants, &expectations);
    let mut findings = vec![run];
    findings.extend(invariants);
    findings.extend(expectations);
    let sometimes = index.head.expect.sometimes.iter().enumerate();
    findings.extend(sometimes.map(|(place, expected)| expect_sometimes::judge(index, place, expected)));
    let canary = index.head.canary.as_ref();
    if let Some(finding) = canary.and_then(|canary| canary::judge(canary, &findings, verdict)) {
        verdict = finding.verdict;
        findings.insert(0, finding);
    }
    Judgement { findings, verdict }
}

/// Each by itself, so for a long history the cores of the machine share them.
fn invariants(index: &Index<'_>) -> Vec<Finding> {
    let checks = all();
    let cores = cores_for(index);
    let next = AtomicUsize::new(0);
    let work = || {
        let places = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let places = places.take_while(|place| *place < checks.len());
        places.map(|place| (place, invariant(checks[place], index))).collect::<Vec<_>>()
    };
    let mut found = thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(checks.len())).map(|_| scope.spawn(work)).collect();
        let mut found = work();
        for other in others {
            found.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        found
    });
    found.sort_unstable_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn invariant(check: &dyn Check, index: &Index<'_>) -> Finding {
    let missing: Vec<&str> =
        check.needs().iter().filter(|needed| !index.can(**needed)).map(|needed| named(*needed)).collect();
    let shards = index.rules().shards;
    let finding = if shards > 1 && check.follows_what_is_told() {
        let says = format!(
            "it does not apply: each of {shards} shards of an instance has a breaker and a resync of its own, and nothing is told of them"
        );
        not_judged(check.name(), check.title(), Verdict::Skipped, says)
    } else if missing.is_empty() {
        check.judge(index)
    } else {
        let says = format!("the subject does not say that it can {}", missing.join(", "));
        not_judged(check.name(), check.title(), Verdict::Skipped, says)
    };
    waived(finding, index)
}

fn expectations(index: &Index<'_>) -> Vec<Finding> {
    let expect = &index.head.expect;
    let breakers = expect.breaker.iter().enumerate();
    let breakers = breakers
        .map(|(place, expected)| expect_breaker::judge(index, &format!("expect.breaker[{place}]"), expected));
    let metrics = expect.metric.iter().enumerate();
    let metrics = metrics
        .map(|(place, expected)| expect_metric::judge(index, &format!("expect.metric[{place}]"), expected));
    let told = expect.told.iter().enumerate();
    let told =
        told.map(|(place, expected)| expect_told::judge(index, &format!("expect.told[{place}]"), expected));
    let encrypted = encrypted::judge(index).into_iter();
    breakers.chain(metrics).chain(told).chain(encrypted).map(|finding| waived(finding, index)).collect()
}

/// Notes the reason that the scenario gives for waiving the check, if it does.
fn waived(mut finding: Finding, index: &Index<'_>) -> Finding {
    let allow = index.head.allow.iter().find(|allow| allow.check == finding.check);
    finding.waived = allow.map(|allow| allow.because.clone());
    finding
}

fn verdict(run: &Finding, invariants: &[Finding], expectations: &[Finding]) -> Verdict {
    let counts = |finding: &&Finding| finding.waived.is_none();
    let fails = |finding: &Finding| finding.verdict == Verdict::Fail;
    let silent = |finding: &Finding| matches!(finding.verdict, Verdict::Unknown | Verdict::Skipped);
    if run.verdict == Verdict::Invalid {
        Verdict::Invalid
    } else if invariants.iter().chain(expectations).filter(counts).any(fails) {
        Verdict::Fail
    } else if run.verdict == Verdict::Unknown
        || invariants.iter().all(silent)
        || expectations.iter().filter(counts).any(|finding| finding.verdict == Verdict::Unknown)
    {
        Verdict::Unknown
    } else {
        Verdict::Pass
    }
}

fn named(capability: Capability) -> &'static str {
    match capability {
        Capability::Fallback => "`fallback`",
        Capability::Breaker => "`breaker`",
        Capability::Resync => "`resync`",
        Capability::Ttl => "`ttl`",
        Capability::Samples => "`samples`",
        Capability::Metrics => "`metrics`",
        Capability::Log => "`log`",
        Capability::Health => "`health`",
        Capability::Settings => "`settings`",
        Capability::Sessions => "`sessions`",
        Capability::Backup => "`backup`",
        Capability::Refusals => "`refusals`",
        Capability::Store => "`store`",
        Capability::Cache => "`cache`",
        Capability::Http => "`http`",
        Capability::ReadMany => "`read_many`",
        Capability::Clear => "`clear`",
        Capability::Encryption => "`encryption`",
        Capability::Environment => "`environment`",
        Capability::Durable => "`durable`",
    }
}

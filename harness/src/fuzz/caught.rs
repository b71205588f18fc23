//! How soon random schedules catch a planted flaw, and how small the schedule can be that does.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::hunt::{Examined, Hunter, Span, hunt};
use super::shrink::{MOST_RUNS, Shrunk, shrink};
use crate::check::{self, Finding, Verdict};
use crate::perform::{Setting, perform, unsupported};
use crate::plan::Plan;
use crate::scenario::ScenarioError;
use crate::subject::Flaw;

/// What a hunt for one flaw came to.
#[derive(Clone, Debug)]
pub struct Sought {
    /// The flaw.
    pub flaw: Flaw,
    /// How many schedules were run, up to the one that it was caught by.
    pub runs: u64,
    /// The first schedule that failed by any check, counted from 1, and the check.
    pub first: Option<(u64, String)>,
    /// The first that failed by the check that is for the flaw.
    pub caught: Option<Caught>,
}

/// A schedule that the check for the flaw failed in, made small.
#[derive(Clone, Debug)]
pub struct Caught {
    /// How many schedules it took.
    pub schedules: u64,
    /// How many faults and operations it had when it was drawn.
    pub drawn: (usize, usize),
    /// What is left of it.
    pub shrunk: Shrunk,
}

/// Seeks `flaw`, which the hunter's setting plants, in the schedules of `seeds`, `at_once` at a time; the outcome does not depend on
/// how many that is.
pub async fn seek(hunter: Arc<Hunter>, flaw: Flaw, seeds: Range<u64>, at_once: usize) -> Sought {
    let span = Span { seeds: seeds.clone(), done: BTreeSet::new(), shard: (0, 1) };
    let (mut first, mut caught) = (None::<(u64, Finding)>, None::<(u64, Finding)>);
    let mut runs = 0;
    hunt(Arc::clone(&hunter), &span, at_once, |seed, examined| {
        runs += 1;
        if let Examined::Failed(findings) = examined {
            earlier(&mut first, seed, findings.first());
            earlier(&mut caught, seed, findings.iter().find(|finding| finding.check == flaw.check()));
        }
        caught.is_none()
    })
    .await;
    let counted = |seed: u64| seed - seeds.start + 1;
    let first = first.map(|(seed, finding)| (counted(seed), finding.check));
    let Some((seed, finding)) = caught else { return Sought { flaw, runs, first, caught: None } };
    let case = hunter.cases.of_seed(seed);
    let drawn = (case.faults.len(), case.operations.len());
    let shrunk = shrink(&hunter, case, finding, MOST_RUNS, |_, _| {}).await;
    let schedules = counted(seed);
    // How many others went on beside it is chance.
    Sought { flaw, runs: schedules, first, caught: Some(Caught { schedules, drawn, shrunk }) }
}

/// Keeps the finding of the lowest seed: schedules end in no particular order.
fn earlier(kept: &mut Option<(u64, Finding)>, seed: u64, finding: Option<&Finding>) {
    if let Some(finding) = finding
        && kept.as_ref().is_none_or(|(known, _)| seed < *known)
    {
        *kept = Some((seed, finding.clone()));
    }
}

/// Runs the small schedule again as `setting` says, and tells in a word or two what became of it: `caught`, or what else.
///
/// # Errors
///
/// When the schedule makes no scenario, which would be a defect of the shrinking.
pub async fn again(
    hunter: &Hunter,
    flaw: Flaw,
    caught: &Caught,
    world: &Setting,
) -> Result<String, ScenarioError> {
    let case = &caught.shrunk.case;
    let plan = Plan::new(&case.scenario("found", "a flaw is caught")?, case.seed);
    if unsupported(world, &plan).is_some() {
        return Ok("cannot".to_owned());
    }
    let setting = Setting { flaw: Some(flaw), ..world.clone() };
    let run = perform(Arc::new(plan), setting, Arc::new(|_| {}), hunter.stop.clone()).await;
    let Ok(history) = run else { return Ok("not run".to_owned()) };
    let judgement = check::judge(&history);
    let failed = |one: &&Finding| one.verdict == Verdict::Fail;
    if judgement.findings.iter().filter(failed).any(|one| one.check == flaw.check()) {
        return Ok("caught".to_owned());
    }
    Ok(match judgement.findings.iter().find(failed) {
        Some(other) => format!("by {}", other.check),
        None => format!("{:?}", judgement.verdict).to_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::draw::Cases;
    use super::*;
    use crate::stop::Stop;
    use crate::world::Kind;

    fn hunter(flaw: Flaw) -> Arc<Hunter> {
        let setting = Setting { flaw: Some(flaw), ..Setting::of(Kind::Sim) };
        Arc::new(Hunter { cases: Cases::default(), setting, stop: Stop::new() })
    }

    #[tokio::test]
    async fn a_flaw_is_caught_by_its_own_check_and_the_small_schedule_repeats_it() {
        let flaw: Flaw = "ttl-reset-on-update".parse().unwrap();
        let hunter = hunter(flaw);
        let sought = seek(Arc::clone(&hunter), flaw, 0..1000, 3).await;
        let caught = sought.caught.expect("no schedule of a thousand caught it");
        assert_eq!(caught.shrunk.finding.check, "I9");
        assert!(caught.shrunk.case.operations.len() < caught.drawn.1, "{caught:?}");
        assert!(sought.first.is_some_and(|(schedules, _)| schedules <= caught.schedules));
        let again = again(&hunter, flaw, &caught, &Setting::of(Kind::Sim)).await.unwrap();
        assert_eq!(again, "caught");
    }

    #[tokio::test]
    async fn what_is_not_caught_is_not_said_to_be() {
        let flaw: Flaw = "breaker-stuck-open".parse().unwrap();
        // Its schedules have no time to open a breaker.
        let cases = Cases::with(|fault| fault == "latency");
        let hunter = Arc::new(Hunter { cases, ..Arc::into_inner(hunter(flaw)).unwrap() });
        let sought = seek(hunter, flaw, 0..3, 2).await;
        assert!(sought.caught.is_none(), "{sought:?}");
    }

    #[test]
    fn the_lowest_seed_counts_whatever_ends_first() {
        let finding = |check: &str| Finding {
            check: check.to_owned(),
            title: String::new(),
            verdict: Verdict::Fail,
            says: String::new(),
            judged: 1,
            broken: 1,
            witness: Vec::new(),
            waived: None,
        };
        let mut kept = None;
        earlier(&mut kept, 7, Some(&finding("I2")));
        earlier(&mut kept, 9, Some(&finding("I3")));
        earlier(&mut kept, 3, Some(&finding("I1")));
        earlier(&mut kept, 1, None);
        assert_eq!(kept.map(|(seed, finding)| (seed, finding.check)), Some((3, "I1".to_owned())));
    }
}

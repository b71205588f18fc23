//! Runs one drawn schedule after another, several at once, until one fails or all are done.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::case::Case;
use super::draw::Cases;
use crate::check::{self, Finding, Verdict};
use crate::perform::{Setting, perform, unsupported};
use crate::plan::Plan;
use crate::report::Trouble;
use crate::stop::Stop;

/// What the run of a schedule came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Examined {
    /// Every check held.
    Passed,
    /// What failed, in the order of the checks.
    Failed(Vec<Finding>),
    /// The run says nothing about the subject, and why.
    Nothing(String),
    /// The run went wrong: a panic, or time that stood still.
    Wrong(String),
}

/// Runs schedules.
#[derive(Debug)]
pub struct Hunter {
    /// What schedules are drawn from.
    pub cases: Cases,
    /// Where and against whom they run.
    pub setting: Setting,
    /// Ends everything when requested.
    pub stop: Stop,
}

/// The seeds of a hunt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// From the first seed up to the last, which is not included.
    pub seeds: Range<u64>,
    /// Seeds of it that are done already.
    pub done: BTreeSet<u64>,
    /// Which part of all is meant, from 0, and of how many.
    pub shard: (u32, u32),
}

impl Span {
    /// The seeds that are still to be run, in order.
    pub fn left(&self) -> impl Iterator<Item = u64> {
        let (part, of) = self.shard;
        let mine = move |seed: &u64| crate::seed::mix(*seed) % u64::from(of.max(1)) == u64::from(part);
        self.seeds.clone().filter(mine).filter(|seed| !self.done.contains(seed))
    }
}

impl Hunter {
    /// Runs `case`. Nothing when it makes no sense, or when a stop was requested meanwhile.
    pub async fn examine(&self, case: &Case) -> Option<Examined> {
        let scenario = case.scenario("fuzz", "x").ok()?;
        let plan = Plan::new(&scenario, case.seed);
        if let Some(why) = unsupported(&self.setting, &plan) {
            return Some(Examined::Nothing(why));
        }
        let outcome =
            perform(Arc::new(plan), self.setting.clone(), Arc::new(|_| {}), self.stop.clone()).await;
        match outcome {
            Ok(history) => Some(examined(check::judge(&history))),
            Err(Trouble::Stopped) => None,
            Err(Trouble::Run(why)) => Some(Examined::Wrong(why)),
            Err(trouble @ (Trouble::World(_) | Trouble::Skipped(_))) => {
                Some(Examined::Nothing(trouble.to_string()))
            }
        }
    }
}

fn examined(judgement: check::Judgement) -> Examined {
    let says =
        |verdict| judgement.findings.iter().find(|one| one.verdict == verdict).map(|one| one.says.clone());
    match judgement.verdict {
        Verdict::Fail => {
            let failed = |one: &Finding| one.verdict == Verdict::Fail && one.waived.is_none();
            Examined::Failed(judgement.findings.into_iter().filter(failed).collect())
        }
        Verdict::Pass => Examined::Passed,
        verdict @ (Verdict::Unknown | Verdict::Invalid | Verdict::Skipped) => {
            Examined::Nothing(says(verdict).unwrap_or_default())
        }
    }
}

/// Runs the schedules of `span`, `at_once` at a time, in no particular order. `ended` hears of each, with its seed, and says
/// whether to go on.
pub async fn hunt(
    hunter: Arc<Hunter>,
    span: &Span,
    at_once: usize,
    mut ended: impl FnMut(u64, Examined) -> bool,
) {
    let mut seeds = span.left();
    let mut running = JoinSet::new();
    let mut go_on = true;
    loop {
        while go_on && running.len() < at_once.max(1) && !hunter.stop.is_requested() {
            let Some(seed) = seeds.next() else { break };
            let hunter = Arc::clone(&hunter);
            running.spawn(async move {
                let case = hunter.cases.of_seed(seed);
                (seed, hunter.examine(&case).await)
            });
        }
        match running.join_next().await {
            None => return,
            Some(Ok((seed, Some(examined)))) => go_on &= ended(seed, examined),
            Some(Ok((_, None))) => {}
            // A panic here is one of Squall's own; it is told of as such.
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Flaw;
    use crate::world::Kind;

    fn hunter(flaw: Option<Flaw>) -> Arc<Hunter> {
        let setting = Setting { flaw, ..Setting::of(Kind::Sim) };
        Arc::new(Hunter { cases: Cases::default(), setting, stop: Stop::new() })
    }

    #[test]
    fn shards_share_the_seeds_and_what_is_done_is_left_out() {
        let span = |part, done| Span { seeds: 0..100, done, shard: (part, 3) };
        let parts: Vec<Vec<u64>> = (0..3).map(|part| span(part, BTreeSet::new()).left().collect()).collect();
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert!(parts.iter().all(|part| part.len() > 20));
        let done = BTreeSet::from([parts[0][0]]);
        assert_eq!(span(0, done).left().next(), Some(parts[0][1]));
    }

    #[tokio::test]
    async fn every_schedule_is_run_once_and_the_reference_client_passes() {
        let span = Span { seeds: 0..8, done: BTreeSet::new(), shard: (0, 1) };
        let mut seen = Vec::new();
        hunt(hunter(None), &span, 2, |seed, examined| {
            assert!(!matches!(examined, Examined::Failed(_) | Examined::Wrong(_)), "{seed}: {examined:?}");
            seen.push(seed);
            true
        })
        .await;
        seen.sort_unstable();
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_flaw_is_found_and_the_hunt_ends_with_it() {
        let span = Span { seeds: 0..1000, done: BTreeSet::new(), shard: (0, 1) };
        let mut found = None;
        hunt(hunter(Some("ttl-reset-on-update".parse().unwrap())), &span, 2, |seed, examined| {
            if let Examined::Failed(findings) = examined {
                found = Some((seed, findings));
            }
            found.is_none()
        })
        .await;
        let (_, findings) = found.expect("no schedule of a thousand caught it");
        // By what it sets anew, or by what that keeps alive.
        let of_it = |finding: &Finding| ["I7", "I9"].contains(&finding.check.as_str());
        assert!(findings.iter().any(of_it), "{findings:?}");
    }
}

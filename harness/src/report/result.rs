//! What a run came to, as data: everything that the formats show.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::figures::{BreakerStep, Counted, Figures, Operations};
use crate::check::{Canary, Finding, Judgement, Verdict};
use crate::coverage::Coverage;
use crate::history::{Head, History, PhaseSpan};
use crate::load::Kind;
use crate::plan::Plan;

/// The version of [`RunResult`]'s form in `result.json`.
pub const RESULT_SCHEMA: u32 = 1;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// [`RESULT_SCHEMA`] when it was written.
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario proves.
    pub proves: String,
    /// The promises that it puts to the test.
    pub origin: Vec<String>,
    /// The world.
    pub world: String,
    /// What the world says of itself.
    pub notes: Vec<String>,
    /// The subject, as it named itself; empty when it never did.
    pub subject: String,
    /// Settings that the subject said it ignored.
    pub ignored: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The verdict on the run.
    pub verdict: Verdict,
    /// Why there is nothing to judge, if so.
    pub trouble: Option<Trouble>,
    /// What each check found.
    pub findings: Vec<Finding>,
    /// The phases as planned, `setup` first.
    pub phases: Vec<PhaseSpan>,
    /// How long the plan lasts until the final reads, in milliseconds.
    pub planned_ms: u64,
    /// How long the run took by its own clock, final reads included, in milliseconds.
    pub took_ms: u64,
    /// Operations by kind.
    pub operations: BTreeMap<Kind, Operations>,
    /// The way of every instance's breaker, by the instance's number.
    pub breakers: BTreeMap<u16, Vec<BreakerStep>>,
    /// The command that runs the same plan again.
    pub replay: String,
    /// The check that must fail, if the scenario is there to see that; the verdict is then whether it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// The situations in which its operations began; none of a run that says nothing of the client: it went wrong, or is a
    /// canary, whose client is a broken one. Results of older versions have none either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// Why a run has nothing to judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Trouble {
    /// The world did not start.
    World(String),
    /// The world cannot do what the scenario asks.
    Skipped(String),
    /// The run went wrong on its way.
    Run(String),
    /// Somebody asked it to stop.
    Stopped,
}

impl RunResult {
    /// What `history` came to, given how it was judged.
    pub fn new(history: &History, judgement: &Judgement) -> Self {
        Self::counted(&history.head, Figures::of(history), judgement, || Coverage::of(history))
    }

    /// The same of a history that was counted entry by entry.
    pub fn counted(
        head: &Head,
        figures: Figures,
        judgement: &Judgement,
        coverage: impl FnOnce() -> Coverage,
    ) -> Self {
        let Counted { operations, breakers, took_ms } = figures.finish();
        let counts = head.canary.is_none() && judgement.verdict != Verdict::Invalid;
        Self {
            schema: RESULT_SCHEMA,
            scenario: head.scenario.clone(),
            proves: head.proves.clone(),
            origin: head.origin.clone(),
            world: head.world.clone(),
            notes: head.world_notes.clone(),
            subject: head.subject.clone(),
            ignored: head.ignored.clone(),
            seed: head.seed,
            verdict: judgement.verdict,
            trouble: None,
            findings: judgement.findings.clone(),
            phases: head.phases.clone(),
            planned_ms: head.phases.last().map_or(0, |phase| phase.to / 1_000_000),
            took_ms,
            operations,
            breakers,
            replay: replay_command(&head.scenario, &head.world, head.seed),
            canary: head.canary.clone(),
            coverage: counts.then(coverage),
        }
    }

    /// A run of `plan` that has no history.
    pub fn without_history(plan: &Plan, world: &str, trouble: Trouble) -> Self {
        Self {
            schema: RESULT_SCHEMA,
            scenario: plan.scenario.clone(),
            proves: plan.proves.clone(),
            origin: plan.origin.clone(),
            world: world.to_owned(),
            notes: Vec::new(),
            subject: String::new(),
            ignored: Vec::new(),
            seed: plan.seed,
            verdict: match trouble {
                Trouble::Skipped(_) => Verdict::Skipped,
                Trouble::World(_) | Trouble::Run(_) | Trouble::Stopped => Verdict::Invalid,
            },
            trouble: Some(trouble),
            findings: Vec::new(),
            phases: plan.phases.clone(),
            planned_ms: u64::try_from(plan.length().as_millis()).unwrap_or(u64::MAX),
            took_ms: 0,
            operations: BTreeMap::new(),
            breakers: BTreeMap::new(),
            replay: replay_command(&plan.scenario, world, plan.seed),
            canary: plan.canary.clone(),
            coverage: None,
        }
    }

    /// The folder of themes that the scenario lies in, such as `resync`.
    pub fn theme(&self) -> &str {
        theme_of(&self.scenario)
    }

    /// All operations together.
    pub fn invoked(&self) -> u64 {
        self.operations.values().map(|of_kind| of_kind.invoked).sum()
    }

    /// All answered operations together, as `all.ok_rate` counts them.
    pub fn answered(&self) -> u64 {
        self.operations.iter().map(|(kind, of_kind)| of_kind.answered(*kind)).sum()
    }

    /// Findings that decide the verdict; none for a pass. An invariant that saw nothing counts for nothing, unless all did.
    pub fn decisive(&self) -> impl Iterator<Item = &Finding> {
        let expectation = |finding: &Finding| finding.is_of_scenario();
        let counts = move |finding: &&Finding| {
            let decides = finding.waived.is_none() && !finding.is_of_suite() && self.may_decide(finding);
            decides && finding.verdict == self.verdict && self.verdict > Verdict::Pass
        };
        let only_expectations =
            self.verdict == Verdict::Unknown && self.findings.iter().filter(counts).any(expectation);
        self.findings.iter().filter(counts).filter(move |finding| !only_expectations || expectation(finding))
    }

    /// Of a canary only whether it failed as it must counts, unless the run itself went wrong.
    fn may_decide(&self, finding: &Finding) -> bool {
        self.canary.is_none() || self.verdict == Verdict::Invalid || finding.is_of_canary()
    }

    /// Failures that the scenario waives.
    pub fn waived(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.waived.is_some() && finding.verdict == Verdict::Fail)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World(why) => write!(f, "the world did not start: {why}"),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::Run(why) => write!(f, "the run went wrong: {why}"),
            Self::Stopped => f.write_str("stopped before its end"),
        }
    }
}

/// The folder of themes that a scenario of this name lies in.
pub(super) fn theme_of(scenario: &str) -> &str {
    scenario.rsplit_once('/').map_or("", |(theme, _)| theme)
}

/// The command that runs a scenario of the shipped folder again. [`RunResult::new`] can know no more from a history; who
/// knows the file and the options overwrites it.
pub fn replay_command(scenario: &str, world: &str, seed: u64) -> String {
    format!("squall run scenarios/{scenario}.toml --world {world} --seed {seed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_result_survives_being_written_and_read() {
        let result = samples::failed();
        let text = serde_json::to_string(&result).unwrap();
        assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), result);
    }

    #[test]
    fn what_a_waiver_excuses_does_not_decide() {
        let result = samples::failed();
        assert_eq!(result.decisive().map(|finding| finding.check.as_str()).collect::<Vec<_>>(), ["I1"]);
        assert_eq!(result.waived().map(|finding| finding.check.as_str()).collect::<Vec<_>>(), ["I8"]);
    }

    #[test]
    fn what_saw_nothing_decides_only_where_nothing_else_does() {
        let names = |result: &RunResult| result.decisive().map(|one| one.check.clone()).collect::<Vec<_>>();
        let mut result = samples::failed();
        (result.verdict, result.findings[0].verdict) = (Verdict::Pass, Verdict::Pass);
        assert!(names(&result).is_empty());
        result.verdict = Verdict::Unknown;
        assert_eq!(names(&result), ["I14"]);
        let expectation = Finding { check: "expect.breaker[0]".to_owned(), ..result.findings[3].clone() };
        result.findings.push(expectation);
        assert_eq!(names(&result), ["expect.breaker[0]"]);
    }

    #[test]
    fn of_a_canary_only_the_canary_decides() {
        let mut result = samples::failed();
        result.canary = Some(Canary { flaw: None, fails: "I2".to_owned() });
        assert_eq!(result.decisive().count(), 0);
        let canary = Finding { check: "canary".to_owned(), ..result.findings[0].clone() };
        result.findings.insert(0, canary);
        assert_eq!(result.decisive().map(|one| one.check.as_str()).collect::<Vec<_>>(), ["canary"]);
    }

    #[test]
    fn what_concerns_the_suite_decides_no_run() {
        let mut result = samples::failed();
        result.verdict = Verdict::Unknown;
        let check = "expect.sometimes[0]".to_owned();
        result.findings.push(Finding { check, ..result.findings[3].clone() });
        assert_eq!(result.decisive().map(|one| one.check.as_str()).collect::<Vec<_>>(), ["I14"]);
    }

    #[test]
    fn a_canary_and_a_run_that_went_wrong_cover_nothing() {
        let judged = |verdict| Judgement { findings: Vec::new(), verdict };
        let mut history = samples::history();
        assert!(RunResult::new(&history, &judged(Verdict::Fail)).coverage.is_some());
        assert_eq!(RunResult::new(&history, &judged(Verdict::Invalid)).coverage, None);
        history.head.canary = Some(Canary { flaw: None, fails: "I1".to_owned() });
        assert_eq!(RunResult::new(&history, &judged(Verdict::Pass)).coverage, None);
    }

    #[test]
    fn a_result_of_a_version_before_canaries_and_coverage_is_read() {
        let mut old = serde_json::to_value(samples::failed()).unwrap();
        old.as_object_mut().unwrap().remove("coverage").unwrap();
        let read: RunResult = serde_json::from_value(old).unwrap();
        assert_eq!((read.canary, read.coverage), (None, None));
    }

    #[test]
    fn a_skipped_run_is_never_a_pass() {
        let skipped =
            RunResult::without_history(&samples::plan(), "containers", Trouble::Skipped("no".into()));
        assert_eq!(skipped.verdict, Verdict::Skipped);
        let broken = RunResult::without_history(&samples::plan(), "containers", Trouble::World("no".into()));
        assert_eq!(broken.verdict, Verdict::Invalid);
    }

    #[test]
    fn the_theme_is_the_folder() {
        assert_eq!(samples::failed().theme(), "resync");
    }
}

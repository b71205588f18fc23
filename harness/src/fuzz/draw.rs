//! Draws schedules, swarm-style: each decides first which kinds of faults and operations there are at all.

use std::ops::Range;

use proptest::prelude::any;
use proptest::sample::{select, subsequence};
use proptest::strategy::{BoxedStrategy, NewTree, SBoxedStrategy, Strategy, ValueTree as _};
use proptest::test_runner::{Config, Reason, RngAlgorithm, TestRng, TestRunner};
use rand::Rng as _;

use super::case::{CALM_MS, Case, Line, Op};
use super::ranges;
use super::tree::CaseTree;
use crate::fault::{Act, Commands, Direction, Fault, Matching};
use crate::load::Kind;
use crate::seed::fork;

/// Kinds of faults in one schedule.
const KINDS: Range<usize> = 1..5;
/// Faults in one schedule, at most.
const FAULTS: Range<usize> = 1..7;
/// Operations in one schedule.
const OPERATIONS: Range<usize> = 20..400;
/// Settings that one schedule sets.
const SETTINGS: Range<usize> = 0..8;
/// The end of a run at which no operation starts, in milliseconds.
const QUIET_MS: u64 = 600;

/// Every schedule: a proptest strategy.
#[derive(Debug)]
pub struct Cases {
    /// A strategy for each kind of fault that may be drawn.
    faults: Vec<SBoxedStrategy<Fault>>,
}

impl Default for Cases {
    fn default() -> Self {
        Self { faults: Fault::drawn() }
    }
}

impl Cases {
    /// Schedules with faults of those kinds that `may` allows; all others are never drawn.
    pub fn with(may: impl Fn(&str) -> bool) -> Self {
        let all = Fault::NAMES.iter().zip(Fault::drawn());
        Self { faults: all.filter(|(name, _)| may(name)).map(|(_, faults)| faults).collect() }
    }

    /// The schedule of a seed. The same seed gives the same one.
    pub fn of_seed(&self, seed: u64) -> Case {
        let mut bytes = [0; 32];
        fork(seed, "fuzz").fill_bytes(&mut bytes);
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        loop {
            // Nothing in it can refuse for ever: faults that do not fit are left out.
            if let Ok(case) = self.draw(&mut runner, seed) {
                return case;
            }
        }
    }

    fn draw(&self, runner: &mut TestRunner, seed: u64) -> Result<Case, Reason> {
        let instances = one(runner, 1_u16..4)?;
        let sessions = one(runner, select(&[1_u32, 2, 4, 12][..]))?;
        let ttl_ms = one(runner, select(&[1500_u64, 4000, 10_000, 600_000][..]))?;
        let storm_ms = one(runner, 1000_u64..12_000)?;
        let mut case = Case {
            seed,
            instances,
            sessions,
            ttl_ms,
            steady_ms: 1000,
            storm_ms,
            settings: settings(runner)?,
            faults: self.lines(runner, instances, storm_ms)?,
            operations: Vec::new(),
        };
        case.operations = operations(runner, &case)?;
        case.made_sound().map_err(|error| error.to_string().into())
    }

    fn lines(&self, runner: &mut TestRunner, instances: u16, storm_ms: u64) -> Result<Vec<Line>, Reason> {
        let most = self.faults.len().min(KINDS.end - 1);
        let kinds = one(runner, subsequence(self.faults.clone(), KINDS.start.min(most)..=most))?;
        let count = one(runner, FAULTS)?;
        (0..count).map(|_| line(runner, &kinds, instances, storm_ms)).collect()
    }
}

impl Strategy for Cases {
    type Tree = CaseTree;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let seed = runner.rng().next_u32().into();
        Ok(CaseTree::new(self.draw(runner, seed)?))
    }
}

/// One that the strategy draws.
fn one<S: Strategy>(runner: &mut TestRunner, strategy: S) -> Result<S::Value, Reason> {
    Ok(strategy.new_tree(runner)?.current())
}

fn settings(runner: &mut TestRunner) -> Result<Vec<(String, toml::Value)>, Reason> {
    let all = ranges::all();
    let numbers: Vec<usize> = (0..all.len()).collect();
    let drawn = one(runner, subsequence(numbers, SETTINGS))?;
    drawn
        .into_iter()
        .map(|number| Ok((all[number].key.to_owned(), one(runner, &all[number].values)?)))
        .collect()
}

fn line(
    runner: &mut TestRunner,
    kinds: &[SBoxedStrategy<Fault>],
    instances: u16,
    storm_ms: u64,
) -> Result<Line, Reason> {
    let kind = one(runner, 0..kinds.len())?;
    let fault = one(runner, &kinds[kind])?;
    let at_ms = one(runner, 0..storm_ms)?;
    let longest = storm_ms - at_ms;
    // Short windows and long ones are equally likely.
    let for_ms = one(runner, prop_window(longest))?;
    let act = fault.act();
    let everybody = matches!(act, Act::Server(_)) || one(runner, any::<bool>())?;
    let on = if everybody { Vec::new() } else { vec![one(runner, 0..instances)?] };
    let (bends, answers) = (matches!(act, Act::Bend(_)), matches!(act, Act::Answer(_)));
    let ways = select(&[Direction::Upstream, Direction::Downstream][..]);
    let direction = if bends && one(runner, any::<bool>())? { Some(one(runner, ways)?) } else { None };
    let in_part = (bends || answers) && one(runner, 0_u32..3)? == 0;
    let probability = if in_part { Some(f64::from(one(runner, 1_u32..10)?) / 10.0) } else { None };
    let matching = if answers { Some(one(runner, matching())?) } else { None };
    Ok(Line { fault, at_ms, for_ms, on, direction, probability, matching })
}

fn prop_window(longest: u64) -> BoxedStrategy<u64> {
    let longest = longest.max(2);
    proptest::strategy::Union::new([1..(longest / 10).max(2), 1..longest]).boxed()
}

/// What a client of sessions sends: a script, plain commands, PINGs.
fn matching() -> impl Strategy<Value = Matching> {
    let commands = select(&["", "EVALSHA", "EVAL", "GET", "PING", "TIME"][..]);
    (commands, 0_u32..6).prop_map(|(command, nth)| Matching {
        command: (!command.is_empty()).then(|| Commands(vec![command.to_owned()])),
        key: None,
        nth: (nth > 0).then_some(nth),
    })
}

/// Operations of some kinds, all over the run or in bursts.
fn operations(runner: &mut TestRunner, case: &Case) -> Result<Vec<Op>, Reason> {
    let kinds = one(runner, subsequence(Kind::ALL.to_vec(), 1..=Kind::ALL.len()))?;
    let weights: Vec<u32> = kinds.iter().map(|_| one(runner, 1_u32..10)).collect::<Result<_, _>>()?;
    let total: u32 = weights.iter().sum();
    let count = one(runner, OPERATIONS)?;
    let until = case.steady_ms + case.storm_ms + CALM_MS - QUIET_MS;
    let bursts = one(runner, 0_usize..5)?;
    let centres: Vec<u64> = (0..bursts).map(|_| one(runner, 0..until)).collect::<Result<_, _>>()?;
    let mut operations = Vec::with_capacity(count);
    for _ in 0..count {
        let at_ms = match one(runner, 0..=centres.len())? {
            0 => one(runner, 0..until)?,
            burst => centres[burst - 1].saturating_add(one(runner, 0_u64..100)?).min(until - 1),
        };
        let mut point = one(runner, 0..total)?;
        let fits = |weight: &u32| {
            let within = point < *weight;
            point = point.saturating_sub(*weight);
            within
        };
        let kind = weights.iter().position(fits).map_or(Kind::Get, |place| kinds[place]);
        let instance = one(runner, 0..case.instances)?;
        let session = one(runner, 0..case.sessions)?;
        operations.push(Op { at_ms, instance, kind, session });
    }
    operations.sort_by_key(|operation| operation.at_ms);
    Ok(operations)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_has_its_schedule_and_every_kind_of_fault_and_operation_comes() {
        let cases = Cases::default();
        let drawn: Vec<Case> = (0..200).map(|seed| cases.of_seed(seed)).collect();
        assert_eq!(drawn[7], cases.of_seed(7));
        assert_ne!(drawn[7].operations, drawn[8].operations);
        let faults: BTreeSet<_> =
            drawn.iter().flat_map(|case| &case.faults).map(|line| line.fault.name()).collect();
        assert_eq!(faults.len(), Fault::NAMES.len(), "{faults:?}");
        let kinds: BTreeSet<_> = drawn.iter().flat_map(|case| &case.operations).map(|one| one.kind).collect();
        assert_eq!(kinds.len(), Kind::ALL.len());
        let settings: BTreeSet<_> =
            drawn.iter().flat_map(|case| &case.settings).map(|(key, _)| key).collect();
        assert_eq!(settings.len(), ranges::all().len());
        assert!(drawn.iter().all(|case| case.scenario("x", "x").is_ok()));
        assert!(drawn.iter().any(|case| case.faults.len() > 3));
    }

    #[test]
    fn only_faults_that_may_be_drawn_are() {
        let cases = Cases::with(|name| name == "kill");
        let names: BTreeSet<_> =
            (0..20).flat_map(|seed| cases.of_seed(seed).faults).map(|line| line.fault.name()).collect();
        assert_eq!(names, BTreeSet::from(["kill"]));
    }
}

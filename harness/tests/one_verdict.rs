//! One file, three worlds, one verdict: every shipped scenario is run in each of them, and verdicts and breakers are compared.
//!
//! In virtual time a scenario is run with many seeds, which shows everything that a breaker may do in it; what it does against a
//! real Redis must be one of these. How often a probe failed is chance and does not count.
//!
//! `cargo test -p squall --test one_verdict -- --nocapture` prints the table. A world that is missing here is left out, and makes
//! the test fail where the environment says `CI=true`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use squall::check::{self, Verdict};
use squall::history::{BreakerState, Event, History};
use squall::perform::{self, Setting};
use squall::plan::Plan;
use squall::scenario::{self, Scenario, ScenarioFile};
use squall::stop::Stop;
use squall::world::Kind;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const SIM_SEEDS: u64 = 8;
const SEED: u64 = 1;

/// Runs in real time that go on at once: they mostly wait for the clock.
const AT_ONCE: usize = 16;

/// What is compared.
struct Seen {
    verdict: Verdict,
    /// What the breakers of the instances did.
    breakers: BTreeSet<String>,
    /// Why it was not run, or what went wrong.
    why: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_has_the_same_verdict_in_every_world() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let files = scenario::find(&[shipped]).unwrap_or_else(|error| panic!("{error}"));
    let mut worlds = vec![Kind::Sim];
    for world in [Kind::Local, Kind::Containers] {
        match perform::missing(&Setting::of(world)).await {
            None => worlds.push(world),
            Some(why) => {
                assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{why}");
                squall::cli::say(&format!("left out: {why}"));
            }
        }
    }
    let load = |file: &ScenarioFile| Arc::new(file.load().unwrap_or_else(|error| panic!("{error}")));
    let scenarios: Vec<Arc<Scenario>> = files.iter().map(load).collect();
    // Virtual time takes all of the machine that it can get, and real time needs a quiet one.
    let mut found = all(&scenarios, &worlds[..1], available_parallelism().map_or(1, usize::from)).await;
    found.extend(all(&scenarios, &worlds[1..], AT_ONCE).await);
    again_alone(&scenarios, &worlds[1..], &mut found).await;
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for (number, file) in files.iter().enumerate() {
        let in_world = |world: &Kind| &found[&(number, world.name())];
        let cells: Vec<String> =
            worlds.iter().map(|world| format!("{:?}", in_world(world).verdict)).collect();
        let breakers = in_world(&Kind::Sim).breakers.iter().cloned().collect::<Vec<_>>().join(" or ");
        let _ = writeln!(table, "{:44} {:30} {breakers}", file.name, cells.join("  "));
        for world in &worlds[1..] {
            wrong.extend(
                difference(in_world(&Kind::Sim), in_world(world))
                    .map(|how| format!("{}: sim and {}: {how}", file.name, world.name())),
            );
        }
    }
    squall::cli::say(&table);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs every scenario in these worlds, so many at once; by the number of the scenario and the name of the world.
async fn all(
    scenarios: &[Arc<Scenario>],
    worlds: &[Kind],
    at_once: usize,
) -> BTreeMap<(usize, &'static str), Seen> {
    let slots = Arc::new(Semaphore::new(at_once));
    let mut running = JoinSet::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        for world in worlds.iter().copied() {
            let (scenario, slots) = (Arc::clone(scenario), Arc::clone(&slots));
            running.spawn(async move {
                let _slot = slots.acquire_owned().await;
                ((number, world.name()), seen(&scenario, world).await)
            });
        }
    }
    let mut found = BTreeMap::new();
    while let Some(ended) = running.join_next().await {
        let (key, seen) = ended.expect("no run panics");
        found.insert(key, seen);
    }
    found
}

/// Runs what differs from the sim once more, with nothing beside it, and takes that for what counts: many at once may be too
/// much for a small machine, on which a call that is late looks as one that Redis does not answer.
async fn again_alone(
    scenarios: &[Arc<Scenario>],
    worlds: &[Kind],
    found: &mut BTreeMap<(usize, &'static str), Seen>,
) {
    for (number, scenario) in scenarios.iter().enumerate() {
        for world in worlds.iter().copied() {
            let in_sim = &found[&(number, Kind::Sim.name())];
            let Some(how) = difference(in_sim, &found[&(number, world.name())]) else { continue };
            squall::cli::say(&format!("again, alone: {} in {}: {how}", scenario.name, world.name()));
            found.insert((number, world.name()), seen(scenario, world).await);
        }
    }
}

/// How a real world differs from what the sim shows, if it does.
fn difference(sim: &Seen, real: &Seen) -> Option<String> {
    if real.verdict == Verdict::Skipped {
        return None;
    }
    if sim.verdict == Verdict::Skipped {
        // What only a real world can do has nothing to be compared with.
        return (real.verdict != Verdict::Pass).then(|| format!("{:?} {}", real.verdict, real.why));
    }
    if sim.verdict != real.verdict {
        let why = [sim.why.as_str(), real.why.as_str()].concat();
        return Some(format!("{:?} and {:?} {why}", sim.verdict, real.verdict));
    }
    let unheard: Vec<&String> = real.breakers.difference(&sim.breakers).collect();
    (!unheard.is_empty()).then(|| format!("breakers {unheard:?}, in sim {:?}", sim.breakers))
}

async fn seen(scenario: &Scenario, world: Kind) -> Seen {
    let mut seen = Seen { verdict: Verdict::Pass, breakers: BTreeSet::new(), why: String::new() };
    let seeds = if world == Kind::Sim { SIM_SEEDS } else { 1 };
    for seed in SEED..SEED + seeds {
        let (plan, setting) = (Arc::new(Plan::new(scenario, seed)), Setting::of(world));
        if let Some(why) = perform::unsupported(&setting, &plan) {
            return Seen { verdict: Verdict::Skipped, breakers: BTreeSet::new(), why };
        }
        match perform::perform(plan, setting, Arc::new(|_| {}), Stop::new()).await {
            Ok(history) => {
                let judgement = check::judge(&history);
                if judgement.verdict != Verdict::Pass {
                    seen.verdict = judgement.verdict;
                    seen.why = format!("(seed {seed})");
                }
                seen.breakers.extend((0..history.head.instances).map(|instance| breaker(&history, instance)));
            }
            Err(trouble) => {
                seen.verdict = Verdict::Invalid;
                seen.why = trouble.to_string();
            }
        }
    }
    seen
}

/// What an instance's breaker did, without the probes that failed.
fn breaker(history: &History, instance: u16) -> String {
    let mut states = vec![BreakerState::Closed];
    for entry in &history.entries {
        let Event::Breaker { instance: of, to, .. } = &entry.e else { continue };
        if *of != instance {
            continue;
        }
        if *to == BreakerState::Open && states.last() == Some(&BreakerState::HalfOpen) {
            states.pop();
        } else {
            states.push(*to);
        }
    }
    let trips = states.iter().filter(|state| **state == BreakerState::Open).count();
    match (trips, states.last()) {
        (0, _) => "stays closed".to_owned(),
        (_, Some(BreakerState::Closed)) => "opens and closes".to_owned(),
        (_, last) => format!("opens and ends {last:?}"),
    }
}

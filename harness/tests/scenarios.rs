//! Every scenario file is a test case in every world: in virtual time (`sim::`), against a redis-server of this machine behind Squall's own fault proxy
//! (`local::`), and against real Redis behind real Toxiproxy in Docker (`containers::`).
//!
//! `cargo test -p squall --test scenarios outage` runs those whose name has `outage`, `local::` those of one world.
//! `SQUALL_SEED` chooses the seed; without it one is drawn. A failing case prints its verdict, its witness and the command
//! that runs it again, and leaves its history in `reports/`. Where a world needs what is not there (a server, Docker) its
//! cases are ignored, or fail where the environment says `CI=true`; what a world cannot do is ignored with the reason.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use squall::check::{self, Verdict};
use squall::cli::{self, Signals};
use squall::perform::{self, Setting};
use squall::plan::Plan;
use squall::report::{Colour, Folder, RunResult, details};
use squall::scenario::{self, ScenarioFile};
use squall::stop::Stop;
use squall::world::Kind;
use tokio::runtime::{Builder, Handle};

/// The worlds that cases run in.
const WORLDS: &[Kind] = &[
    Kind::Sim,
    Kind::Local,
    #[cfg(feature = "containers")]
    Kind::Containers,
];

/// Cases mostly wait on the clock, so many go side by side even on two cores.
const AT_ONCE: usize = 16;

/// What every case shares.
#[derive(Clone)]
struct Shared {
    handle: Handle,
    stop: Stop,
    seed: u64,
}

/// A world, and why no case can run there, if so.
#[derive(Clone)]
struct Place {
    world: Kind,
    missing: Option<String>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let runtime = Builder::new_multi_thread().enable_all().build().expect("the runtime starts");
    let inside = runtime.enter();
    let stop = Stop::new();
    let signals = Signals::watch(stop.clone()).expect("signals are heard");
    let shared = Shared { handle: runtime.handle().clone(), stop, seed: seed() };
    let missing = |world| runtime.block_on(perform::missing(&Setting::of(world)));
    drop(inside);
    let places: Vec<Place> =
        WORLDS.iter().map(|world| Place { world: *world, missing: missing(*world) }).collect();
    let mut files = scenario::find(&[root().join("scenarios")]).expect("the scenarios folder can be listed");
    // The longest first, so that none is left to run alone at the end.
    files.sort_by_key(|file| Reverse(file.load().map_or(Duration::ZERO, |scenario| scenario.length())));
    let each = |file: &ScenarioFile| {
        places.iter().map(|place| trial(file.clone(), place.clone(), &shared)).collect::<Vec<_>>()
    };
    let trials: Vec<Trial> = files.iter().flat_map(each).collect();
    arguments.test_threads.get_or_insert(trials.len().clamp(1, AT_ONCE));
    if !arguments.list {
        cli::say(&format!("seed {} (SQUALL_SEED={} runs the same plans again)", shared.seed, shared.seed));
        places.iter().filter_map(|place| place.missing.as_ref()).for_each(|why| cli::say(why));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if signals.exit_code().is_some() {
        runtime.block_on(perform::clean_up());
    }
    signals.exit_code().map_or_else(|| conclusion.exit_code(), ExitCode::from)
}

fn trial(file: ScenarioFile, place: Place, shared: &Shared) -> Trial {
    let name = format!("{}::{}", place.world.name(), file.name.replace('/', "::"));
    let must_run = std::env::var("CI").as_deref() == Ok("true");
    // nextest only knows cases that say beforehand that they are ignored; elsewhere they can give the reason.
    let ignored = place.missing.is_some() && !must_run && std::env::var_os("NEXTEST").is_some();
    let shared = shared.clone();
    let run = move || match &place.missing {
        None => case(&file, place.world, &shared),
        Some(why) if must_run => Err(Failed::from(why)),
        Some(why) => Ok(Completion::ignored_with(why.lines().next().unwrap_or_default())),
    };
    Trial::ignorable_test(name, run).with_ignored_flag(ignored)
}

fn case(file: &ScenarioFile, world: Kind, shared: &Shared) -> Result<Completion, Failed> {
    let scenario = file.load().map_err(|error| Failed::from(error.to_string()))?;
    let plan = Arc::new(Plan::new(&scenario, shared.seed));
    let setting = Setting::of(world);
    if let Some(why) = plan.strikes.iter().find_map(|strike| perform::unsupported(&setting, &strike.act)) {
        return Ok(Completion::ignored_with(why));
    }
    let run = perform::perform(Arc::clone(&plan), setting, Arc::new(|_| {}), shared.stop.clone());
    let (result, history) = match shared.handle.block_on(run) {
        Ok(history) => (RunResult::new(&history, &check::judge(&history)), Some(history)),
        Err(trouble) => (RunResult::without_history(&plan, world.name(), trouble), None),
    };
    if result.verdict == Verdict::Pass {
        return Ok(Completion::Completed);
    }
    let written = history.map(|history| {
        let folder = Folder::open(&root().join("reports"))?;
        folder.write_run(&result, Some(&history))
    });
    let written = match written {
        Some(Ok(folder)) => format!("  history  {}\n", folder.display()),
        Some(Err(error)) => format!("  {error}\n"),
        None => String::new(),
    };
    Err(Failed::from(format!("\n{}{written}", details(&result, Colour::Off))))
}

fn seed() -> u64 {
    match std::env::var("SQUALL_SEED") {
        Ok(text) => text.parse().expect("SQUALL_SEED should be a whole number"),
        Err(_) => cli::draw_seed(),
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

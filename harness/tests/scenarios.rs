//! Every scenario file is a test case, run against real Redis behind real Toxiproxy in Docker.
//!
//! `cargo test -p squall --test scenarios outage` runs those whose name has `outage`. `SQUALL_SEED` chooses the seed; without
//! it one is drawn. A failing case prints its verdict, its witness and the command that runs it again, and leaves its
//! history in `reports/`. Without Docker the cases are ignored, or fail where the environment says `CI=true`.

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

const WORLD: Kind = Kind::Containers;

/// Cases mostly wait on the clock, so many go side by side even on two cores.
const AT_ONCE: usize = 16;

/// What every case shares.
#[derive(Clone)]
struct Shared {
    handle: Handle,
    stop: Stop,
    seed: u64,
    /// Why no case can run, if so.
    missing: Option<String>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let runtime = Builder::new_multi_thread().enable_all().build().expect("the runtime starts");
    let inside = runtime.enter();
    let stop = Stop::new();
    let signals = Signals::watch(stop.clone()).expect("signals are heard");
    let shared = Shared {
        handle: runtime.handle().clone(),
        stop,
        seed: seed(),
        missing: runtime.block_on(perform::missing(&Setting::of(WORLD))),
    };
    drop(inside);
    let mut files = scenario::find(&[root().join("scenarios")]).expect("the scenarios folder can be listed");
    // The longest first, so that none is left to run alone at the end.
    files.sort_by_key(|file| Reverse(file.load().map_or(Duration::ZERO, |scenario| scenario.length())));
    let trials: Vec<Trial> = files.into_iter().map(|file| trial(file, &shared)).collect();
    arguments.test_threads.get_or_insert(trials.len().clamp(1, AT_ONCE));
    if !arguments.list {
        cli::say(&format!("seed {} (SQUALL_SEED={} runs the same plans again)", shared.seed, shared.seed));
        if let Some(why) = &shared.missing {
            cli::say(why);
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if signals.exit_code().is_some() {
        runtime.block_on(perform::clean_up());
    }
    signals.exit_code().map_or_else(|| conclusion.exit_code(), ExitCode::from)
}

fn trial(file: ScenarioFile, shared: &Shared) -> Trial {
    let name = format!("containers::{}", file.name.replace('/', "::"));
    let must_run = std::env::var("CI").as_deref() == Ok("true");
    // nextest only knows cases that say beforehand that they are ignored; elsewhere they can give the reason.
    let ignored = shared.missing.is_some() && !must_run && std::env::var_os("NEXTEST").is_some();
    let shared = shared.clone();
    let run = move || match &shared.missing {
        None => case(&file, &shared),
        Some(why) if must_run => Err(Failed::from(why)),
        Some(why) => Ok(Completion::ignored_with(why.lines().next().unwrap_or_default())),
    };
    Trial::ignorable_test(name, run).with_ignored_flag(ignored)
}

fn case(file: &ScenarioFile, shared: &Shared) -> Result<Completion, Failed> {
    let scenario = file.load().map_err(|error| Failed::from(error.to_string()))?;
    let plan = Arc::new(Plan::new(&scenario, shared.seed));
    if let Some(why) =
        plan.strikes.iter().find_map(|strike| perform::unsupported(&Setting::of(WORLD), &strike.act))
    {
        return Ok(Completion::ignored_with(why));
    }
    let run = perform::perform(Arc::clone(&plan), Setting::of(WORLD), Arc::new(|_| {}), shared.stop.clone());
    let (result, history) = match shared.handle.block_on(run) {
        Ok(history) => (RunResult::new(&history, &check::judge(&history)), Some(history)),
        Err(trouble) => (RunResult::without_history(&plan, WORLD.name(), trouble), None),
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

//! Every scenario file as a case of `cargo test`, for the reference client and for a client of your own: ten lines in a
//! test target with `harness = false`. `docs/subjects.md` shows them.
//!
//! Cases are called `local::outage::served-from-memory`; filters, `--list` and [nextest](https://nexte.st) work as ever.
//! `SQUALL_SEED` chooses the seed; without it one is drawn. A failing case prints its verdict, its witness and the command
//! that runs it again, and leaves its history in the folder of reports. Where a world needs what is not there (a server,
//! Docker) its cases are ignored, or fail where the environment says `CI=true`; what a world or the subject cannot do is
//! ignored with the reason.

mod breakers;
mod case;
mod expected;
mod replay;
mod turns;

use std::cmp::Reverse;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use thiserror::Error;
use tokio::runtime::{Builder, Handle};

pub use expected::ExpectedError;

use crate::cli::{self, Signals};
use crate::perform::{self, Setting, Tested};
use crate::report::{Folder, ReportError, RunResult};
use crate::scenario::{self, ScenarioError};
use crate::stop::Stop;
use crate::subject::Subject;
use crate::world::Kind;
use breakers::Shown;
use case::Place;
use expected::Expected;
use turns::Turns;

/// Cases mostly wait on the clock, so many go side by side even on two cores. Containers take more of them.
const AT_ONCE: usize = 24;
const AT_ONCE_WITH_CONTAINERS: usize = 14;

/// What is tested, with what, and where. Relative paths are below the package's folder, where cargo starts its tests.
#[derive(Clone, Debug)]
pub struct Options {
    /// The client under test; the reference client when absent.
    pub subject: Option<Arc<dyn Subject>>,
    /// A folder of scenario files: your own, or a copy of those that come with Squall.
    pub scenarios: PathBuf,
    /// The worlds that every scenario runs in.
    pub worlds: Vec<Kind>,
    /// A file of expected verdicts, for a client that is known not to pass all; without one every case must pass.
    pub expected: Option<PathBuf>,
    /// Where histories of failing cases go, and `summary.csv` and `junit.xml` of all.
    pub reports: PathBuf,
    /// Whether breakers must do in real time what they do in virtual time, with some seed.
    pub breakers_as_in_sim: bool,
    /// Whether a run in real time that does not end as expected is told, and run once more with nothing beside it, which
    /// counts: many at once may be too much for a small machine, on which a call that is late looks as one that Redis does not answer.
    pub again_alone: bool,
}

/// Why no case was run.
#[derive(Debug, Error)]
pub enum TestingError {
    /// There is no runtime, or signals are not heard.
    #[error("failed to start: {0}")]
    Start(#[from] std::io::Error),
    /// A scenario file cannot be found.
    #[error(transparent)]
    Scenarios(#[from] ScenarioError),
    /// The seed is none.
    #[error("SQUALL_SEED is {0:?}; it should be a whole number")]
    Seed(String),
    /// The file of expected verdicts is of no use.
    #[error(transparent)]
    Expected(#[from] ExpectedError),
    /// The reports cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// What every case shares.
#[derive(Clone)]
struct Shared {
    handle: Handle,
    stop: Stop,
    seed: u64,
    options: Arc<Options>,
    expected: Arc<Option<Expected>>,
    results: Arc<Mutex<Vec<RunResult>>>,
    shown: Shown,
    turns: Arc<Turns>,
}

impl Options {
    /// The scenarios in `scenarios` on a client of your own, in every world that this build has.
    pub fn new(subject: Arc<dyn Subject>, scenarios: impl Into<PathBuf>) -> Self {
        Self { subject: Some(subject), ..Self::reference(scenarios) }
    }

    /// The scenarios in `scenarios` on the reference client, in every world that this build has.
    pub fn reference(scenarios: impl Into<PathBuf>) -> Self {
        let mut worlds = Kind::ALL.to_vec();
        worlds.retain(|world| *world != Kind::Containers || cfg!(feature = "containers"));
        Self {
            subject: None,
            scenarios: scenarios.into(),
            worlds,
            expected: None,
            reports: PathBuf::from("reports"),
            breakers_as_in_sim: false,
            again_alone: false,
        }
    }

    fn setting(&self, world: Kind) -> Setting {
        let tested = self.subject.clone().map_or(Tested::Reference, Tested::Own);
        Setting { tested, ..Setting::of(world) }
    }
}

/// Runs the cases that the command line asks for. The `main` of a test target with `harness = false`.
pub fn main(options: Options) -> ExitCode {
    run(options, Arguments::from_args()).unwrap_or_else(|error| {
        let text = error.to_string();
        // An error in a scenario file says so by itself.
        cli::say(&if text.starts_with("error") { text } else { format!("error: {text}") });
        ExitCode::from(cli::USAGE)
    })
}

fn run(options: Options, arguments: Arguments) -> Result<ExitCode, TestingError> {
    let mut files = scenario::find(std::slice::from_ref(&options.scenarios))?;
    let expected = options.expected.as_deref().map(|path| Expected::open(path, &files)).transpose()?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let inside = runtime.enter();
    let stop = Stop::new();
    let signals = Signals::watch(stop.clone())?;
    drop(inside);
    let place = |world: &Kind| runtime.block_on(Place::of(*world, &options.setting(*world)));
    let places: Vec<Place> = options.worlds.iter().map(place).collect();
    let shared = Shared {
        handle: runtime.handle().clone(),
        stop,
        seed: seed()?,
        options: Arc::new(options),
        expected: Arc::new(expected),
        results: Arc::default(),
        shown: Shown::default(),
        turns: Arc::default(),
    };
    // The longest first, so that none is left to run alone at the end.
    files.sort_by_key(|file| Reverse(file.load().map_or(Duration::ZERO, |scenario| scenario.length())));
    if !arguments.list {
        cli::say(&format!("seed {} (SQUALL_SEED={} runs the same plans again)", shared.seed, shared.seed));
        places.iter().filter_map(Place::why_not).for_each(cli::say);
    }
    let mut code = ExitCode::SUCCESS;
    let (virtual_time, real_time): (Vec<_>, Vec<_>) =
        places.iter().partition(|place| place.world() == Kind::Sim);
    // One after the other: virtual time takes all of the machine that it can get, and real time needs a quiet one.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let containers = real_time.iter().any(|place| place.world() == Kind::Containers);
    let in_real_time = if containers { AT_ONCE_WITH_CONTAINERS } else { AT_ONCE };
    for (places, at_once) in [(virtual_time, cores), (real_time, in_real_time)] {
        let each = |file| places.iter().map(|place| case::trial(file, place, &shared)).collect::<Vec<_>>();
        let trials: Vec<Trial> = files.iter().flat_map(each).collect();
        if trials.is_empty() || signals.exit_code().is_some() {
            continue;
        }
        let test_threads = arguments.test_threads.or(Some(at_once));
        let conclusion = libtest_mimic::run(&Arguments { test_threads, ..arguments.clone() }, trials);
        if conclusion.has_failed() {
            code = conclusion.exit_code();
        }
    }
    if let Some(code) = signals.exit_code() {
        runtime.block_on(perform::clean_up());
        return Ok(ExitCode::from(code));
    }
    finish(&shared)?;
    Ok(code)
}

/// Leaves what is said of all runs together, and the new expectations, where they were asked for.
fn finish(shared: &Shared) -> Result<(), TestingError> {
    let mut results = std::mem::take(&mut *shared.results.lock().unwrap_or_else(PoisonError::into_inner));
    // With nextest every case is a process of its own, and none knows of the others.
    if results.is_empty() || in_nextest() {
        return Ok(());
    }
    results.sort_by(|one, other| (&one.scenario, &one.world).cmp(&(&other.scenario, &other.world)));
    Folder::open(&shared.options.reports)?.write_summary(&results)?;
    if let Some(expected) = shared.expected.as_ref() {
        expected.take(&results)?;
    }
    Ok(())
}

fn seed() -> Result<u64, TestingError> {
    match std::env::var("SQUALL_SEED") {
        Ok(text) => text.parse().map_err(|_| TestingError::Seed(text)),
        Err(_) => Ok(cli::draw_seed()),
    }
}

fn in_nextest() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

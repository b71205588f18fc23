//! `squall run`: plans every scenario that is meant, runs them side by side, and reports.

use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::filter::meant;
use super::prove::prove;
use super::screen::Screen;
use super::signals::Signals;
use super::{RunArgs, USAGE, print, say, server};
use crate::check;
use crate::coverage::Coverage;
use crate::perform::{self, Setting, Tested};
use crate::plan::Plan;
use crate::report::{Colour, Folder, RunResult, coverage_text, total, unmet};
use crate::scenario::{self, ScenarioFile};
use crate::stop::Stop;
use crate::subject::process::{CommandLine, NO_SOCKETS};
use crate::suite::{Job, Suite, exit_code_of_suite};
use crate::world::Kind;

/// Runs that go on side by side unless the user says otherwise, where runs wait on the wall clock.
const AT_ONCE: usize = 16;

/// Runs what is meant and returns the exit code.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<u8> {
    if let Some(command) = &args.subject {
        startable(command, args.world)?;
    }
    let seed = args.seed.unwrap_or_else(draw_seed);
    let redis = server::chosen(args)?;
    if args.prove_deterministic {
        return prove(args, seed);
    }
    let setting = Setting {
        image: args.image.clone(),
        tested: tested(args.subject.as_ref()),
        redis,
        flaw: args.flaw,
        ..Setting::of(args.world)
    };
    let Some(jobs) = jobs(args, &setting, seed)? else { return Ok(USAGE) };
    let folder = Folder::open(&args.report)?;
    let drawn = if args.seed.is_none() { ", drawn for this run" } else { "" };
    say(&format!("{} to make, seed {seed}{drawn}", count(jobs.len(), "run")));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("failed to start the runtime")?;
    let code = runtime.block_on(run_all(args, setting, jobs, folder));
    // What still hangs after a stop must not keep the program.
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

pub(super) fn tested(command: Option<&CommandLine>) -> Tested {
    command.map_or(Tested::Reference, |command| Tested::Command(command.clone()))
}

/// Whether the subject can be tested at all, before anything starts.
pub(super) fn startable(command: &CommandLine, world: Kind) -> anyhow::Result<()> {
    if world == Kind::Sim {
        bail!("--subject with --world sim: {NO_SOCKETS}");
    }
    match command.missing(&std::env::var("PATH").unwrap_or_default()) {
        Some(why) => bail!("--subject: {why}"),
        None => Ok(()),
    }
}

async fn run_all(args: &RunArgs, setting: Setting, jobs: Vec<Job>, folder: Folder) -> anyhow::Result<u8> {
    let stop = Stop::new();
    let signals = Signals::watch(stop.clone());
    let signals = signals.context("failed to listen for signals")?;
    let screen = Arc::new(Screen::new(&jobs, folder, args.quiet));
    let (on_screen, stopping) = (Arc::clone(&screen), stop.clone());
    let suite = Suite {
        at_once: args.jobs.map_or_else(|| at_once(args.world, args.subject.is_some()), usize::from),
        perform: Arc::new(move |number, job| {
            let progress = Screen::progress(&on_screen, number);
            Box::pin(perform::perform(job.plan, setting.clone(), progress, stopping.clone()))
        }),
        judge: check::judge,
        audience: screen.clone(),
        stop: stop.clone(),
    };
    let results = suite.run(jobs).await;
    if stop.is_requested() {
        perform::clean_up().await;
    }
    // A run that was stopped says nothing, and must not take the place of what an earlier one said.
    let reported = if stop.is_requested() { Ok(()) } else { screen.finish(&results) };
    // A reader who left early has seen enough; the exit code still counts.
    let _ = print(&ending(args, &results));
    if !args.quiet && !stop.is_requested() {
        say(&format!("reports are in {}", args.report.display()));
    }
    if let Some(code) = signals.exit_code() {
        return Ok(code);
    }
    reported?;
    Ok(exit_code_of_suite(&results))
}

/// What is said of all runs together.
fn ending(args: &RunArgs, results: &[RunResult]) -> String {
    let mut text = String::new();
    if args.coverage {
        let runs = results.iter().filter_map(|result| result.coverage.as_ref());
        text.push_str(&format!("\n{}\n", coverage_text(&Coverage::sum(runs))));
    }
    text.push_str(&unmet(results));
    text.push_str(&format!("{}\n", total(results, Colour::of_stdout())));
    text
}

/// How many runs go on side by side. A client that the machine starves fails for no fault of its own, and foreign ones are
/// processes of unknown appetite.
pub(super) fn at_once(world: Kind, foreign: bool) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match world {
        // A core is all that such a run waits for.
        Kind::Sim => cores,
        Kind::Local | Kind::Containers if foreign => AT_ONCE.min(2 * cores),
        Kind::Local | Kind::Containers => AT_ONCE,
    }
}

/// Everything to run, or `None` when a scenario is not valid, which has then been said.
fn jobs(args: &RunArgs, setting: &Setting, seed: u64) -> anyhow::Result<Option<Vec<Job>>> {
    let mut files = scenario::find(&args.files)?;
    files.retain(|file| meant(&file.name, &args.filter));
    if files.is_empty() {
        bail!("no scenario's name fits --filter {}; `squall list` shows the names", args.filter.join(" or "));
    }
    let (mut jobs, mut errors) = (Vec::new(), 0);
    for file in &files {
        match file.load() {
            Ok(scenario) => {
                let seeds = (0..u64::from(args.repeat)).map(|turn| seed.wrapping_add(turn));
                jobs.extend(seeds.map(|seed| job(setting, file, Plan::new(&scenario, seed))));
            }
            Err(error) => {
                say(&format!("{error}\n"));
                errors += 1;
            }
        }
    }
    if errors > 0 {
        say(&format!("nothing was run: {} not valid", count(errors, "scenario")));
        return Ok(None);
    }
    Ok(Some(jobs))
}

fn job(setting: &Setting, file: &ScenarioFile, plan: Plan) -> Job {
    let skip = perform::unsupported(setting, &plan);
    Job {
        replay: replay(setting, &file.path, plan.seed),
        world: setting.world.name().to_owned(),
        skip,
        plan: Arc::new(plan),
    }
}

/// The command that does the same again.
fn replay(setting: &Setting, path: &Path, seed: u64) -> String {
    let path = quoted(&path.display().to_string());
    let mut command = format!("squall run {path} --world {} --seed {seed}", setting.world.name());
    command.push_str(&setting.redis.as_ref().map_or_else(String::new, server::flags));
    if let Some(image) = &setting.image {
        command.push_str(&format!(" --image {}", quoted(image)));
    }
    if let Tested::Command(subject) = &setting.tested {
        command.push_str(&format!(" --subject {}", quoted(&subject.to_string())));
    }
    if let Some(flaw) = setting.flaw {
        command.push_str(&format!(" --flaw {}", flaw.name()));
    }
    command
}

/// `text` as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A seed from the system's randomness, short enough to be typed.
pub fn draw_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() & 0xFFFF_FFFF
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;

    fn replay_of(line: &str) -> String {
        let Command::Run(args) = Cli::parse_from(line.split(' ')).command else { panic!("{line}") };
        let redis = server::chosen(&args).unwrap();
        let (image, tested, flaw) = (args.image, tested(args.subject.as_ref()), args.flaw);
        let setting = Setting { image, tested, redis, flaw, ..Setting::of(args.world) };
        replay(&setting, Path::new("my scenarios/a.toml"), 7)
    }

    #[test]
    fn the_replay_command_repeats_what_was_asked() {
        assert_eq!(
            replay_of("squall run --world containers --flaw resync-off --image valkey/valkey:8.1.1"),
            "squall run 'my scenarios/a.toml' --world containers --seed 7 --image valkey/valkey:8.1.1 --flaw resync-off"
        );
        assert_eq!(
            replay_of("squall run --world local --server /opt/redis-server"),
            "squall run 'my scenarios/a.toml' --world local --seed 7 --server /opt/redis-server"
        );
        assert_eq!(
            replay_of("squall run --world local --redis-url redis://:secret@h:1 --allow-destructive"),
            "squall run 'my scenarios/a.toml' --world local --seed 7 --redis-url \"$SQUALL_REDIS_URL\" --allow-destructive"
        );
    }

    #[test]
    fn the_replay_command_quotes_the_subject() {
        let tested = Tested::Command("python3 'my adapter.py'".parse().unwrap());
        let replay = replay(&Setting { tested, ..Setting::of(Kind::Local) }, Path::new("a.toml"), 7);
        assert_eq!(
            replay,
            r"squall run a.toml --world local --seed 7 --subject 'python3 '\''my adapter.py'\'''"
        );
    }

    #[test]
    fn a_subject_that_cannot_be_tested_is_refused_before_anything_starts() {
        let told = |text: &str, world| startable(&text.parse().unwrap(), world).unwrap_err().to_string();
        assert!(told("sh", Kind::Sim).contains("use --world local or --world containers"));
        assert!(told("no-such-program", Kind::Containers).contains("there is no program no-such-program"));
        assert!(startable(&"sh".parse().unwrap(), Kind::Containers).is_ok());
    }
}

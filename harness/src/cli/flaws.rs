//! `squall flaws`: plants one flaw after another, and sees how soon random schedules catch it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::FlawsArgs;
use super::fuzz::{cases, count, size, write};
use super::run::{at_once, quoted};
use super::signals::Signals;
use super::{print, say};
use crate::fuzz::{Found, Hunter, Sought, again, found_text, seek};
use crate::perform::{self, Setting};
use crate::report::{FlawRow, Folder, flaws_csv, flaws_sum, flaws_table};
use crate::stop::Stop;
use crate::subject::flawed::Flaw;
use crate::world::Kind;

/// One was not caught.
const NOT_CAUGHT: u8 = 1;
/// A world did not start.
const NO_WORLD: u8 = 3;

/// Seeks each flaw, and returns the exit code.
pub(super) fn flaws(args: &FlawsArgs) -> anyhow::Result<u8> {
    Folder::open(&args.report)?.inner(["found"])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("failed to start the runtime")?;
    let code = runtime.block_on(go(args));
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

async fn go(args: &FlawsArgs) -> anyhow::Result<u8> {
    let stop = Stop::new();
    let signals = Signals::watch(stop.clone()).context("failed to listen for signals")?;
    for world in &args.again_in {
        if let Some(why) = perform::missing(&Setting::of(*world)).await {
            say(&format!("error: {} cannot be run in: {why}", world.name()));
            return Ok(NO_WORLD);
        }
    }
    let sought = seek_all(args, &stop).await?;
    let again = again_all(args, &sought, &stop).await?;
    let rows: Vec<FlawRow> =
        sought.iter().zip(again).map(|((_, sought), again)| row(args, sought, again)).collect();
    write(&args.report.join("flaws.csv"), &flaws_csv(&rows)?)?;
    write(&args.report.join("flaws.md"), &flaws_table(&rows))?;
    print(&format!("{}\n", flaws_sum(&rows)))?;
    if !args.quiet {
        say(&format!("the table is in {0}/flaws.csv and {0}/flaws.md", args.report.display()));
    }
    if stop.is_requested() {
        perform::clean_up().await;
    }
    let all = rows.iter().all(|row| row.schedules.is_some());
    Ok(signals.exit_code().unwrap_or(if all { 0 } else { NOT_CAUGHT }))
}

/// One after another, each with the hunter that planted it. When it is stopped, those that were sought until then.
async fn seek_all(args: &FlawsArgs, stop: &Stop) -> anyhow::Result<Vec<(Arc<Hunter>, Sought)>> {
    let flaws = if args.flaws.is_empty() { Flaw::ALL } else { &args.flaws[..] };
    let bar = bar(args, flaws.len());
    let seeds = args.seed..args.seed.saturating_add(args.seeds);
    let runs = args.jobs.map_or_else(|| at_once(Kind::Sim, false), usize::from);
    let mut all = Vec::new();
    for flaw in flaws {
        bar.set_message(flaw.name());
        let setting = Setting { flaw: Some(*flaw), ..Setting::of(Kind::Sim) };
        let hunter = Arc::new(Hunter { cases: cases(&[])?, setting, stop: stop.clone() });
        let sought = seek(Arc::clone(&hunter), *flaw, seeds.clone(), runs).await;
        if stop.is_requested() {
            break;
        }
        if let Some(caught) = &sought.caught {
            let path = args.report.join(file(*flaw));
            let replay = format!(
                "squall run {} --seed {} --flaw {}",
                quoted(&path.display().to_string()),
                caught.shrunk.case.seed,
                flaw.name()
            );
            let found = Found { shrunk: caught.shrunk.clone(), drawn: caught.drawn, replay };
            write(&path, &found_text(&found))?;
        }
        if !args.quiet {
            bar.suspend(|| say(&told(&sought)));
        }
        bar.inc(1);
        all.push((hunter, sought));
    }
    bar.finish_and_clear();
    Ok(all)
}

/// Runs each small schedule again, in sim and in the worlds that were asked for, and tells what it came to: for each flaw in turn.
async fn again_all(
    args: &FlawsArgs,
    all: &[(Arc<Hunter>, Sought)],
    stop: &Stop,
) -> anyhow::Result<Vec<String>> {
    let mut worlds = vec![Kind::Sim];
    worlds.extend(args.again_in.iter().copied().filter(|world| *world != Kind::Sim));
    let mut told = vec![Vec::new(); all.len()];
    for world in worlds {
        let slots = Arc::new(Semaphore::new(at_once(world, false)));
        let mut running = JoinSet::new();
        for (number, (hunter, sought)) in all.iter().enumerate() {
            let Some(caught) = sought.caught.clone() else { continue };
            let (hunter, slots, flaw) = (Arc::clone(hunter), Arc::clone(&slots), sought.flaw);
            running.spawn(async move {
                let _slot = slots.acquire_owned().await;
                (number, again(&hunter, flaw, &caught, &Setting::of(world)).await)
            });
        }
        while let Some(ended) = running.join_next().await {
            let (number, became) = ended.context("a run ended by itself")?;
            told[number].push(format!("{} {}", world.name(), became?));
        }
        if stop.is_requested() {
            break;
        }
    }
    Ok(told.into_iter().map(|worlds| worlds.join(", ")).collect())
}

fn row(args: &FlawsArgs, sought: &Sought, again: String) -> FlawRow {
    let caught = sought.caught.as_ref();
    let left = caught.map(|caught| &caught.shrunk);
    FlawRow {
        flaw: sought.flaw.name(),
        check: sought.flaw.check(),
        runs: sought.runs,
        schedules: caught.map(|caught| caught.schedules),
        schedules_any: sought.first.as_ref().map(|(schedules, _)| *schedules),
        first_check: sought.first.as_ref().map_or_else(String::new, |(_, check)| check.clone()),
        faults_drawn: caught.map(|caught| caught.drawn.0),
        operations_drawn: caught.map(|caught| caught.drawn.1),
        faults: left.map(|shrunk| shrunk.case.faults.len()),
        operations: left.map(|shrunk| shrunk.case.operations.len()),
        shrink_runs: left.map(|shrunk| shrunk.runs),
        minimal: left.map(|shrunk| shrunk.minimal),
        again,
        file: caught.map_or_else(String::new, |_| args.report.join(file(sought.flaw)).display().to_string()),
    }
}

fn file(flaw: Flaw) -> String {
    format!("found/{}.toml", flaw.name())
}

fn told(sought: &Sought) -> String {
    let (flaw, check) = (sought.flaw.name(), sought.flaw.check());
    let schedules = count(sought.runs, "schedule");
    match &sought.caught {
        Some(caught) => format!(
            "{flaw:34} {check:4} caught by schedule {}, of which {} are left after {}",
            caught.schedules,
            size(&caught.shrunk.case),
            count(caught.shrunk.runs, "run")
        ),
        None => match &sought.first {
            Some((_, other)) => {
                format!("{flaw:34} {check:4} not caught in {schedules}, though {other} failed")
            }
            None => format!("{flaw:34} {check:4} not caught in {schedules}"),
        },
    }
}

fn bar(args: &FlawsArgs, flaws: usize) -> ProgressBar {
    if args.quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} of {len} flaws {bar:30} {msg}");
    ProgressBar::new(flaws.try_into().unwrap_or(u64::MAX))
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

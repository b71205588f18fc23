//! `squall run --prove-deterministic`: carries out each run twice, once in another process, and compares the histories byte for
//! byte. That is the only guard against chance that a subject brings along by itself.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, bail};

use super::filter::meant;
use super::{HistoriesArgs, RunArgs, USAGE, print, say};
use crate::history;
use crate::perform::{self, Setting};
use crate::plan::Plan;
use crate::scenario::{self, Scenario, ScenarioFile};
use crate::stop::Stop;
use crate::subject::Flaw;
use crate::world::Kind;

/// How many runs the other process makes before another one takes over.
const BATCH: u32 = 50;

/// How often to say how far it is, in runs.
const SAY_EVERY: usize = 1000;

/// Runs of one scenario with seeds that follow each other.
struct Batch {
    path: PathBuf,
    scenario: Scenario,
    first: u64,
    count: u32,
}

/// What came of comparing.
enum Found {
    Same(u32),
    Differs(String),
}

/// Compares, says what differs, and returns the exit code.
pub(super) fn prove(args: &RunArgs, seed: u64) -> anyhow::Result<u8> {
    if args.world != Kind::Sim {
        bail!("only the sim world repeats itself; --prove-deterministic goes with --world sim");
    }
    let Some(batches) = batches(args, seed)? else { return Ok(USAGE) };
    let total: u32 = batches.iter().map(|batch| batch.count).sum();
    let drawn = if args.seed.is_none() { ", drawn for this run" } else { "" };
    let runs = if total == 1 { "1 run".to_owned() } else { format!("{total} runs") };
    say(&format!("{runs} to make twice, seed {seed}{drawn}"));
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || -> anyhow::Result<Vec<String>> {
        let mut differing = Vec::new();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let count = match compare(batch, args.flaw)? {
                Found::Same(count) => count,
                Found::Differs(how) => {
                    say(&how);
                    differing.push(how);
                    batch.count
                }
            };
            let before = done.fetch_add(count as usize, Ordering::Relaxed);
            if (before + count as usize) / SAY_EVERY > before / SAY_EVERY {
                say(&format!("{} of {total} compared", before + count as usize));
            }
        }
        Ok(differing)
    };
    // Each worker keeps two processes busy.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = args.jobs.map_or(cores.div_ceil(2), usize::from).min(batches.len()).max(1);
    let differing: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| match worker.join() {
            Ok(differing) => differing,
            Err(_) => bail!("a part of Squall panicked"),
        });
        ended.collect::<anyhow::Result<Vec<_>>>().map(|found| found.concat())
    })?;
    let differ = match differing.len() {
        0 => "no two differ".to_owned(),
        count => format!("{count} DIFFER"),
    };
    print(&format!("{runs}, each made twice, once in another process: {differ}\n"))?;
    Ok(u8::from(!differing.is_empty()))
}

fn batches(args: &RunArgs, seed: u64) -> anyhow::Result<Option<Vec<Batch>>> {
    let mut files = scenario::find(&args.files)?;
    files.retain(|file| meant(&file.name, &args.filter));
    if files.is_empty() {
        bail!("no scenario's name fits --filter {}; `squall list` shows the names", args.filter.join(" or "));
    }
    let (mut batches, mut valid) = (Vec::new(), true);
    let sim = Setting::of(Kind::Sim);
    for file in &files {
        match file.load() {
            // A canary has a flaw of its own.
            Ok(scenario) if scenario.canary.is_some() && args.flaw.is_some() => {}
            Ok(scenario) => match perform::unsupported(&sim, &Plan::new(&scenario, seed)) {
                None => batches.extend(of_scenario(file, &scenario, seed, args.repeat)),
                Some(why) => say(&format!("left out: {}: {why}", file.name)),
            },
            Err(error) => {
                say(&format!("{error}\n"));
                valid = false;
            }
        }
    }
    if valid && batches.is_empty() {
        bail!("there is nothing to compare: the sim world can carry out none of these");
    }
    Ok(valid.then_some(batches))
}

fn of_scenario(
    file: &ScenarioFile,
    scenario: &Scenario,
    seed: u64,
    repeat: u32,
) -> impl Iterator<Item = Batch> {
    let starts = (0..repeat).step_by(BATCH as usize);
    let batch = move |start: u32| Batch {
        path: file.path.clone(),
        scenario: scenario.clone(),
        first: seed.wrapping_add(u64::from(start)),
        count: BATCH.min(repeat - start),
    };
    starts.map(batch).collect::<Vec<_>>().into_iter()
}

/// Makes the runs of a batch here, and the same in another process.
fn compare(batch: &Batch, flaw: Option<Flaw>) -> anyhow::Result<Found> {
    let mut other = Other(start_other(batch, flaw)?);
    let mut told = other.0.stdout.take().context("the other process has no output")?;
    for turn in 0..u64::from(batch.count) {
        let seed = batch.first.wrapping_add(turn);
        let here = bytes(&batch.scenario, seed, flaw)?;
        let there = read_framed(&mut told).context("the other process ended early")?;
        if here != there {
            return Ok(Found::Differs(difference(&batch.path, seed, &here, &there)));
        }
    }
    Ok(Found::Same(batch.count))
}

/// The other process, ended when nobody listens to it any more.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_other(batch: &Batch, flaw: Option<Flaw>) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("failed to find this program")?;
    let mut command = Command::new(program);
    command.arg("histories").arg(&batch.path);
    command.args(["--seed", &batch.first.to_string(), "--repeat", &batch.count.to_string()]);
    if let Some(flaw) = flaw {
        command.args(["--flaw", flaw.name()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().context("failed to start the other process")
}

/// `squall histories`: writes the histories of runs to standard output, each after its length.
pub(super) fn histories(args: &HistoriesArgs) -> anyhow::Result<u8> {
    let scenario = Scenario::load(&args.file)?;
    let mut out = io::stdout().lock();
    for turn in 0..u64::from(args.repeat) {
        let bytes = bytes(&scenario, args.seed.wrapping_add(turn), args.flaw)?;
        out.write_all(&(bytes.len() as u64).to_le_bytes())?;
        out.write_all(&bytes)?;
    }
    out.flush()?;
    Ok(0)
}

fn read_framed(from: &mut impl io::Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let mut bytes = Vec::new();
    let read = from.take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The history of one run as its file would be; of a run that went wrong, in what way.
fn bytes(scenario: &Scenario, seed: u64, flaw: Option<Flaw>) -> anyhow::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let setting = Setting { flaw, ..Setting::of(Kind::Sim) };
    let plan = Arc::new(Plan::new(scenario, seed));
    let outcome = runtime.block_on(perform::perform(plan, setting, Arc::new(|_| {}), Stop::new()));
    let mut bytes = Vec::new();
    match outcome {
        Ok(history) => history::write(&history, &mut bytes)?,
        Err(trouble) => bail!("the run with seed {seed} went wrong: {trouble}"),
    }
    Ok(bytes)
}

/// The first line that is not the same.
fn difference(path: &Path, seed: u64, here: &[u8], there: &[u8]) -> String {
    let mut pairs = (1..).zip(here.split(|byte| *byte == b'\n').zip(there.split(|byte| *byte == b'\n')));
    let Some((line, (one, other))) = pairs.find(|(_, (one, other))| one != other) else {
        return format!("{}: seed {seed}: one history ends before the other", path.display());
    };
    format!(
        "{}: seed {seed}: line {line} differs\n  here   {}\n  there  {}",
        path.display(),
        String::from_utf8_lossy(one),
        String::from_utf8_lossy(other)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_shown() {
        let told = difference(Path::new("a.toml"), 7, b"same\none\nx", b"same\nother\ny");
        assert_eq!(told, "a.toml: seed 7: line 2 differs\n  here   one\n  there  other");
    }

    #[test]
    fn what_is_framed_is_read_whole_or_not_at_all() {
        let framed = [&3_u64.to_le_bytes()[..], b"abcd"].concat();
        assert_eq!(read_framed(&mut &framed[..]).unwrap(), b"abc");
        assert!(read_framed(&mut &framed[..10]).is_err());
        assert!(read_framed(&mut &[0_u8; 3][..]).is_err());
    }
}

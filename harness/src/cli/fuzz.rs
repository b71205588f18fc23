//! `squall fuzz`: runs schedules that chance draws; of one that fails it makes the smallest scenario file.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::FuzzArgs;
use super::run::{at_once, quoted, startable, tested};
use super::signals::Signals;
use super::{print, say};
use crate::check::Finding;
use crate::fault::Fault;
use crate::fuzz::{
    Case, Cases, Examined, Found, Hunter, Kept, MOST_RUNS, Notes, Span, found_text, hunt, shrink, wrong_text,
};
use crate::perform::{self, Setting};
use crate::report::{Folder, visible, write_whole};
use crate::stop::Stop;
use crate::suggest;

/// How often the notes are kept, in runs.
const KEEP_EVERY: u64 = 20;
/// How often to say how far it is where there is no terminal, in runs.
const SAY_EVERY: u64 = 1000;

/// What a hunt has come to so far.
struct Hunt<'a> {
    args: &'a FuzzArgs,
    reports: Folder,
    hunter: Arc<Hunter>,
    kept: Kept,
    notes: Notes,
    bar: ProgressBar,
    /// The failures, with what was found first.
    failed: Vec<(u64, Finding)>,
    /// What went wrong by itself.
    wrong: Vec<(u64, String)>,
    /// Runs that this process has made.
    runs: u64,
}

/// Hunts, and returns the exit code.
pub(super) fn fuzz(args: &FuzzArgs) -> anyhow::Result<u8> {
    if let Some(command) = &args.subject {
        startable(command, args.world)?;
    }
    let setting =
        Setting { tested: tested(args.subject.as_ref()), flaw: args.flaw, ..Setting::of(args.world) };
    there_is_a_seed(args)?;
    let reports = Folder::open(&args.report)?;
    let hunter = Arc::new(Hunter { cases: cases(&args.faults)?, setting, stop: Stop::new() });
    let hunted = hunted(args);
    let kept =
        Kept::at(&reports.inner(["fuzz"])?, &format!("{}-{:08x}", args.world.name(), short_hash(&hunted)));
    // Held until the hunt is over.
    let _hold = kept.hold()?;
    let before = if args.fresh { None } else { kept.load()?.filter(|notes| notes.hunted == hunted) };
    let notes = before.unwrap_or_else(|| Notes::new(hunted));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("failed to start the runtime")?;
    let hunt = Hunt {
        args,
        reports,
        hunter,
        kept,
        notes,
        bar: bar(args),
        failed: Vec::new(),
        wrong: Vec::new(),
        runs: 0,
    };
    let code = runtime.block_on(hunt.go());
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

impl Hunt<'_> {
    async fn go(mut self) -> anyhow::Result<u8> {
        let signals = Signals::watch(self.hunter.stop.clone()).context("failed to listen for signals")?;
        let over = Arc::new(AtomicBool::new(false));
        if let Some(lasts) = self.args.lasts {
            let over = Arc::clone(&over);
            tokio::spawn(async move {
                tokio::time::sleep(lasts).await;
                over.store(true, Ordering::Relaxed);
            });
        }
        self.say_what_begins();
        let ended = self.run(&over).await;
        self.bar.finish_and_clear();
        self.kept.save(&self.notes)?;
        ended?;
        let code = self.tell().await?;
        if self.hunter.stop.is_requested() {
            perform::clean_up().await;
        }
        Ok(signals.exit_code().unwrap_or(code))
    }

    fn say_what_begins(&self) {
        let done = self.notes.done.len();
        if done > 0 {
            say(&format!(
                "going on where an earlier run of the program ended: {done} are done (--fresh begins anew)"
            ));
        }
        if !self.notes.failed.is_empty() {
            say(&format!("first again what failed before: {}", count(self.notes.failed.len(), "seed")));
        }
    }

    /// Runs what failed before, then the rest.
    async fn run(&mut self, over: &AtomicBool) -> anyhow::Result<()> {
        for seed in self.notes.failed.keys().copied().collect::<Vec<_>>() {
            if self.hunter.stop.is_requested() || !self.failed.is_empty() && !self.args.keep_going {
                return Ok(());
            }
            if let Some(examined) = self.hunter.examine(&self.hunter.cases.of_seed(seed)).await {
                self.notes.failed.remove(&seed);
                self.ended(seed, examined);
            }
        }
        if !self.failed.is_empty() && !self.args.keep_going {
            return Ok(());
        }
        let span = self.span();
        let (hunter, at_once) = (Arc::clone(&self.hunter), self.at_once());
        let mut trouble = None;
        hunt(hunter, &span, at_once, |seed, examined| {
            let failed = self.ended(seed, examined);
            if self.notes.runs().is_multiple_of(KEEP_EVERY) {
                trouble = trouble.take().or(self.kept.save(&self.notes).err());
            }
            !over.load(Ordering::Relaxed) && trouble.is_none() && (!failed || self.args.keep_going)
        })
        .await;
        if let Some(trouble) = trouble {
            return Err(trouble.into());
        }
        let unlimited = self.args.seeds.is_none() && self.args.lasts.is_some();
        if self.span().left().next().is_none() && !unlimited {
            self.say_tally();
            self.notes.over();
        } else {
            self.say_tally();
        }
        Ok(())
    }

    /// Notes how the run of `seed` ended. Says whether it failed.
    fn ended(&mut self, seed: u64, examined: Examined) -> bool {
        self.bar.inc(1);
        self.runs += 1;
        let failed = match examined {
            Examined::Passed => {
                self.notes.ended(seed, "passed", None);
                false
            }
            Examined::Nothing(_) => {
                self.notes.ended(seed, "unknown", None);
                false
            }
            Examined::Wrong(why) => {
                self.notes.ended(seed, "went wrong", None);
                self.tell_line(&format!("seed {seed} went wrong: {}", visible(&why)));
                self.wrong.push((seed, why));
                true
            }
            Examined::Failed(findings) => {
                let first = findings.first().map(|finding| finding.check.as_str());
                self.notes.ended(seed, "failed", first);
                if let Some(finding) = findings.into_iter().next() {
                    let Finding { check, title, says, .. } = &finding;
                    self.tell_line(&format!("seed {seed} fails {check}, {title}: {}", visible(says)));
                    self.failed.push((seed, finding));
                }
                true
            }
        };
        let runs = self.notes.runs();
        if self.bar.is_hidden() && !self.args.quiet && runs.is_multiple_of(SAY_EVERY) {
            say(&format!("{runs} runs, {} failed", self.failed.len()));
        }
        failed
    }

    /// Says something above the bar.
    fn tell_line(&self, text: &str) {
        self.bar.suspend(|| say(text));
    }

    fn say_tally(&self) {
        let tally: Vec<String> =
            self.notes.tally.iter().map(|(how, count)| format!("{count} {how}")).collect();
        if !tally.is_empty() {
            self.tell_line(&format!("{}: {}", count(self.notes.runs(), "schedule"), tally.join(", ")));
        }
    }

    /// Shrinks what failed, one schedule for each check, and returns the exit code.
    async fn tell(&self) -> anyhow::Result<u8> {
        let mut told = BTreeSet::new();
        for (seed, finding) in &self.failed {
            if told.insert(finding.check.clone()) {
                self.shrink(*seed, finding).await?;
            }
        }
        if let Some((seed, why)) = self.wrong.first() {
            let path = self.found(&format!("wrong-{seed}.toml"))?;
            let (case, replay) = (self.hunter.cases.of_seed(*seed), self.replay(&path, *seed));
            write(&path, &wrong_text(&case, why, &replay))?;
            print(&format!("the schedule is in {}\n{replay}\n", path.display()))?;
        }
        if self.failed.is_empty() && self.wrong.is_empty() {
            print(&format!("{}: no failure\n", count(self.runs, "schedule")))?;
        }
        Ok(match (self.failed.is_empty(), self.wrong.is_empty()) {
            (false, _) => 1,
            (true, false) => 4,
            (true, true) => 0,
        })
    }

    async fn shrink(&self, seed: u64, finding: &Finding) -> anyhow::Result<()> {
        let case = self.hunter.cases.of_seed(seed);
        let drawn = (case.faults.len(), case.operations.len());
        say(&format!("seed {seed}: shrinking {}", size(&case)));
        let line = ProgressBar::new_spinner();
        let shrunk = shrink(&self.hunter, case, finding.clone(), MOST_RUNS, |smaller, runs| {
            line.set_message(format!("{} after {}", size(smaller), count(runs, "run")));
            line.tick();
        })
        .await;
        line.finish_and_clear();
        let path = self.found(&format!("{}-{seed}.toml", finding.check.to_lowercase()))?;
        let small = size(&shrunk.case);
        let found = Found { shrunk, drawn, replay: self.replay(&path, seed) };
        write(&path, &found_text(&found))?;
        print(&format!(
            "{}, {}: {}\n{small} left, in {}\n{}\n",
            finding.check,
            finding.title,
            visible(&found.shrunk.finding.says),
            path.display(),
            found.replay
        ))?;
        Ok(())
    }

    /// Where a file with what was found goes.
    fn found(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.reports.inner(["found"])?.join(name))
    }

    fn replay(&self, path: &Path, seed: u64) -> String {
        let path = quoted(&path.display().to_string());
        let mut command = format!("squall run {path} --world {} --seed {seed}", self.args.world.name());
        if let Some(subject) = &self.args.subject {
            command.push_str(&format!(" --subject {}", quoted(&subject.to_string())));
        }
        if let Some(flaw) = self.args.flaw {
            command.push_str(&format!(" --flaw {}", flaw.name()));
        }
        command
    }

    fn span(&self) -> Span {
        span(self.args, self.notes.done.clone())
    }

    fn at_once(&self) -> usize {
        self.args.jobs.map_or_else(|| at_once(self.args.world, self.args.subject.is_some()), usize::from)
    }
}

/// A hunt without a schedule would find nothing, and say so.
fn there_is_a_seed(args: &FuzzArgs) -> anyhow::Result<()> {
    let (first, (part, of)) = (args.seed, args.shard);
    if let Some(seeds) = args.seeds {
        first.checked_add(seeds).with_context(|| {
            format!("--seed {first} --seeds {seeds}: the last seed is {}, so begin earlier", u64::MAX)
        })?;
    }
    if span(args, BTreeSet::new()).left().next().is_none() {
        bail!("--shard {}/{of}: none of these seeds is in it, so raise --seeds", part + 1);
    }
    Ok(())
}

fn span(args: &FuzzArgs, done: BTreeSet<u64>) -> Span {
    let first = args.seed;
    let last = match (args.seeds, args.lasts) {
        (Some(seeds), _) => first.saturating_add(seeds),
        (None, Some(_)) => u64::MAX,
        (None, None) => first.saturating_add(DEFAULT_SEEDS),
    };
    Span { seeds: first..last, done, shard: args.shard }
}

/// What is drawn only when it is named. A Redis whose clock is set ends sessions by itself, and what its clients may then forget is
/// judged too strictly. While an instance is gone it is asked for nothing, so that other faults meet less.
const WHEN_NAMED: [&str; 2] = ["clock_jump", "crash"];

/// Schedules that are run unless the user says otherwise.
const DEFAULT_SEEDS: u64 = 1000;

pub(super) fn cases(faults: &[String]) -> anyhow::Result<Cases> {
    for name in faults {
        if !Fault::NAMES.contains(&name.as_str()) {
            bail!("--faults: {}", suggest::unknown("fault", name, Fault::NAMES));
        }
    }
    let unasked = |name: &str| faults.is_empty() && !WHEN_NAMED.contains(&name);
    Ok(Cases::with(|name| unasked(name) || faults.iter().any(|wanted| wanted == name)))
}

/// Everything that makes one hunt another than the other.
fn hunted(args: &FuzzArgs) -> String {
    let subject = args.subject.as_ref().map_or_else(|| "reference".to_owned(), ToString::to_string);
    let flaw = args.flaw.map_or("none", |flaw| flaw.name());
    let (part, of) = args.shard;
    let (seed, seeds) = (args.seed, args.seeds.map_or_else(|| "open".to_owned(), |seeds| seeds.to_string()));
    format!(
        "squall {}, {subject}, flaw {flaw}, faults {:?}, shard {part} of {of}, seeds {seeds} from {seed}",
        env!("CARGO_PKG_VERSION"),
        args.faults
    )
}

fn short_hash(text: &str) -> u32 {
    let hash = text.bytes().fold(0, |hash, byte| crate::seed::mix(hash ^ u64::from(byte)));
    u32::try_from(hash >> 32).unwrap_or(0)
}

fn bar(args: &FuzzArgs) -> ProgressBar {
    if args.quiet {
        return ProgressBar::hidden();
    }
    let total = args.seeds.or((args.lasts.is_none()).then_some(DEFAULT_SEEDS));
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style =
        ProgressStyle::with_template("{spinner} {human_pos} schedules {bar:30} {per_sec}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

pub(super) fn size(case: &Case) -> String {
    format!("{} and {}", count(case.faults.len(), "fault"), count(case.operations.len(), "operation"))
}

pub(super) fn count<N: TryInto<u64>>(number: N, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(write_whole(path, |mut out| out.write_all(text.as_bytes()))?)
}

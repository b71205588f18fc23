//! What a person sees while runs go on: bars on a terminal, plain lines elsewhere; and each run's reports as it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::{print, say};
use crate::check::Verdict;
use crate::history::History;
use crate::report::{Colour, Folder, ReportError, RunResult, Trouble, details, line, visible};
use crate::run::Progress;
use crate::suite::{Audience, Job};

/// Shows runs, and writes their reports.
pub(super) struct Screen {
    show: Show,
    colour: Colour,
    /// The names of the runs, with the seed where a scenario runs more than once.
    labels: Vec<String>,
    width: usize,
    folder: Folder,
    state: Mutex<State>,
}

/// How progress is shown.
enum Show {
    Bars(MultiProgress),
    Lines,
    Nothing,
}

#[derive(Default)]
struct State {
    bars: BTreeMap<usize, Bar>,
    /// Troubles of worlds that were told in full; they are mostly the same for every run.
    told: BTreeSet<String>,
    /// The first report that could not be written, and how many could not.
    failed: Option<(ReportError, usize)>,
}

struct Bar {
    bar: ProgressBar,
    /// When the run should end, in milliseconds since the bar began; zero while nobody knows.
    ends: Arc<AtomicU64>,
}

impl Screen {
    /// Shows `jobs` and writes their reports to `folder`.
    pub(super) fn new(jobs: &[Job], folder: Folder, quiet: bool) -> Self {
        let terminal = stderr().is_terminal() && !dumb_terminal() && std::env::var_os("CI").is_none();
        let show = match (quiet, terminal) {
            (true, _) => Show::Nothing,
            (false, true) => Show::Bars(MultiProgress::new()),
            (false, false) => Show::Lines,
        };
        let names: Vec<&str> = jobs.iter().map(|job| job.plan.scenario.as_str()).collect();
        let repeated = names.windows(2).any(|pair| pair[0] == pair[1]);
        let label = |job: &Job| match repeated {
            true => format!("{} seed {}", visible(&job.plan.scenario), job.plan.seed),
            false => visible(&job.plan.scenario).into_owned(),
        };
        let labels: Vec<String> = jobs.iter().map(label).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        Self { show, colour: Colour::of_stdout(), labels, width, folder, state: Mutex::default() }
    }

    /// What a run tells of its progress to.
    pub(super) fn progress(screen: &Arc<Self>, number: usize) -> Arc<dyn Fn(Progress) + Send + Sync> {
        let screen = Arc::clone(screen);
        Arc::new(move |progress| screen.show_progress(number, progress))
    }

    /// Writes the reports on all runs together.
    pub(super) fn finish(&self, results: &[RunResult]) -> anyhow::Result<()> {
        let summary = self.folder.write_summary(results);
        match self.state().failed.take() {
            None => Ok(summary?),
            Some((error, 1)) => Err(error.into()),
            Some((error, count)) => Err(anyhow::Error::new(error)
                .context(format!("the reports of {count} runs could not be written; the first"))),
        }
    }

    fn show_progress(&self, number: usize, progress: Progress) {
        let (what, left) = match progress {
            Progress::Preparing(what) => (what, None),
            Progress::Phase { name, left } => (format!("phase {name}"), Some(left)),
            Progress::Finals => ("reading every session at the end".to_owned(), None),
        };
        match &self.show {
            Show::Bars(_) => {
                if let Some(bar) = self.state().bars.get(&number) {
                    let ends = left.map_or(Duration::ZERO, |left| bar.bar.elapsed() + left);
                    bar.ends.store(milliseconds(ends), Ordering::Relaxed);
                    bar.bar.set_message(what);
                }
            }
            Show::Lines => {
                let left = left.map_or_else(String::new, |left| format!(", {} s left", left.as_secs()));
                let label = self.labels.get(number).map_or("", String::as_str);
                say(&format!("{label}: {what}{left}"));
            }
            Show::Nothing => {}
        }
    }

    /// The text for a run that ended; empty when it needs no mention.
    fn story(&self, result: &RunResult) -> String {
        let told_before = match &result.trouble {
            Some(Trouble::Stopped) => return String::new(),
            Some(Trouble::World(why)) => !self.state().told.insert(why.clone()),
            Some(Trouble::Skipped(_)) => true,
            Some(Trouble::Run(_)) | None => false,
        };
        let story = details(result, self.colour);
        if !story.is_empty() && !told_before {
            story
        } else if matches!((&self.show, result.verdict), (Show::Nothing, Verdict::Pass)) {
            String::new()
        } else {
            line(result, self.width, self.colour) + "\n"
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audience for Screen {
    fn begins(&self, number: usize, _job: &Job) {
        if let Show::Bars(bars) = &self.show {
            let longest = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
            let label = self.labels.get(number).map_or("", String::as_str);
            let bar = Bar::new(&format!("{label:<longest$}"));
            let shown = bars.add(bar.bar.clone());
            shown.enable_steady_tick(Duration::from_millis(250));
            self.state().bars.insert(number, bar);
        }
    }

    fn ended(&self, number: usize, result: &RunResult, history: Option<&History>) {
        let mut story = self.story(result);
        // A run that was stopped says nothing; what an earlier one left stays.
        if result.trouble != Some(Trouble::Stopped) {
            match self.folder.write_run(result, history) {
                Ok(folder) if history.is_some() && result.verdict != Verdict::Pass => {
                    story.push_str(&format!("  history  {}\n", folder.join("history.jsonl").display()));
                }
                Ok(_) => {}
                Err(error) => self.state().failed.get_or_insert((error, 0)).1 += 1,
            }
        }
        let bar = self.state().bars.remove(&number);
        if let Some(bar) = bar {
            bar.bar.finish_and_clear();
        }
        // A reader who left early has seen enough; the run goes on for its reports and its exit code.
        match &self.show {
            Show::Bars(bars) => bars.suspend(|| drop(print(&story))),
            Show::Lines | Show::Nothing => drop(print(&story)),
        }
    }
}

impl Bar {
    fn new(label: &str) -> Self {
        let ends = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&ends);
        let left = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let ends = Duration::from_millis(seen.load(Ordering::Relaxed));
            let left = ends.saturating_sub(state.elapsed());
            if !left.is_zero() {
                let _ = write!(out, "{:>4} s left", left.as_secs() + 1);
            }
        };
        let plain = ProgressStyle::with_template("{spinner} {prefix}  {msg} {left}");
        let style = plain.unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key("left", left);
        let bar = ProgressBar::no_length().with_style(style).with_prefix(label.to_owned());
        Self { bar, ends }
    }
}

impl Colour {
    /// What standard output can show: colours on a terminal, unless `NO_COLOR` is set.
    pub(super) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !unwanted && !dumb_terminal() { Self::On } else { Self::Off }
    }
}

fn dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

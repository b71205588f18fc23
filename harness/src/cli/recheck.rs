//! `squall recheck`: judges a saved history again. Checks are pure, so no run is needed.
//!
//! The file is read once, entry by entry, and only what the checks use is kept; what a witness shows is read again.

use std::fs::File;
use std::io::{BufReader, IsTerminal as _, stderr};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::run::quoted;
use super::{RecheckArgs, print};
use crate::check::{self, Gather};
use crate::history::{EntryReader, HistoryError, read};
use crate::report::{Colour, Figures, RunResult, details, line, result_json};
use crate::suite;

/// Files of fewer bytes are read before anybody could look.
const LONG: u64 = 16 * 1024 * 1024;

/// Prints the verdict with its witnesses, and returns the exit code of it.
pub(super) fn recheck(args: &RecheckArgs) -> anyhow::Result<u8> {
    let shown = args.history.display();
    let cure = "`squall run` leaves one as history.jsonl in the folder of each run, below reports/";
    let file = File::open(&args.history).with_context(|| format!("failed to open {shown} ({cure})"))?;
    let mut result = judge(file).with_context(|| format!("failed to read {shown}"))?;
    // Where the scenario lay, and what was tested, a history does not tell.
    result.replay = format!("squall recheck {}", quoted(&shown.to_string()));
    if args.json {
        print(&result_json(&result)?)?;
    } else {
        let details = details(&result, Colour::of_stdout());
        print(&if details.is_empty() { line(&result, 0, Colour::of_stdout()) + "\n" } else { details })?;
    }
    Ok(suite::exit_code(&[result]))
}

fn judge(file: File) -> Result<RunResult, HistoryError> {
    let about = file.metadata()?;
    if !about.is_file() {
        // A pipe cannot be read again for a witness.
        let history = read(BufReader::new(file))?;
        return Ok(RunResult::new(&history, &check::judge(&history)));
    }
    let progress = progress(about.len());
    let mut reader = EntryReader::new(BufReader::with_capacity(1 << 16, file))?;
    let head = reader.head().clone();
    let (mut gather, mut figures) = (Gather::new(&head), Figures::new(&head));
    reader.each(|entries, bytes| {
        for entry in entries {
            gather.take(entry);
            figures.take(entry);
        }
        progress.set_position(bytes);
    })?;
    progress.set_message("judging");
    let saved = reader.into_saved();
    let index = gather.finish(&saved);
    let judgement = check::judge_index(&index);
    progress.finish_and_clear();
    match index.lost() {
        Some(error) => Err(error),
        None => Ok(RunResult::counted(&head, figures, &judgement, || index.coverage())),
    }
}

/// A bar for a long file, where a person can see it.
fn progress(bytes: u64) -> ProgressBar {
    if bytes < LONG || !stderr().is_terminal() || std::env::var_os("CI").is_some() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes} {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style).with_message("reading")
}

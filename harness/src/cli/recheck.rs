//! `squall recheck`: judges a saved history again. Checks are pure, so no run is needed.

use std::fs::File;
use std::io::BufReader;

use anyhow::Context as _;

use super::{RecheckArgs, print};
use crate::report::{Colour, RunResult, details, line, result_json};
use crate::{check, history, suite};

/// Prints the verdict with its witnesses, and returns the exit code of it.
pub(super) fn recheck(args: &RecheckArgs) -> anyhow::Result<u8> {
    let shown = args.history.display();
    let file = File::open(&args.history).with_context(|| format!("failed to open {shown}"))?;
    let history = history::read(BufReader::new(file)).with_context(|| format!("failed to read {shown}"))?;
    let result = RunResult::new(&history, &check::judge(&history));
    if args.json {
        print(&result_json(&result)?)?;
    } else {
        let details = details(&result, Colour::of_stdout());
        print(&if details.is_empty() { line(&result, 0, Colour::of_stdout()) + "\n" } else { details })?;
    }
    Ok(suite::exit_code(&[result]))
}

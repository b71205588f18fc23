//! `squall list` and `squall check`: what scenarios there are, and whether they are valid.

use serde::Serialize;

use super::{CheckArgs, ListArgs, USAGE, print, say};
use crate::report::visible;
use crate::scenario::{self, Scenario};

/// What `squall list --json` says of a scenario.
#[derive(Serialize)]
struct Listed {
    name: String,
    path: String,
    length_ms: u128,
    phases: Vec<String>,
    proves: String,
    origin: Vec<String>,
}

/// Prints every scenario; those that are not valid are named on standard error.
pub(super) fn list(args: &ListArgs) -> anyhow::Result<u8> {
    let (mut listed, mut errors) = (Vec::new(), 0);
    for file in scenario::find(&args.files)? {
        match file.load() {
            Ok(scenario) => listed.push(Listed::new(&scenario, file.path.display().to_string())),
            Err(error) => {
                say(&error.to_string());
                errors += 1;
            }
        }
    }
    if args.json {
        print(&(serde_json::to_string_pretty(&listed)? + "\n"))?;
    } else {
        print(&table(&listed))?;
    }
    Ok(if errors == 0 { 0 } else { USAGE })
}

/// Validates every file, and prints every error of each.
pub(super) fn check(args: &CheckArgs) -> anyhow::Result<u8> {
    let files = scenario::find(&args.files)?;
    let (mut valid, mut errors) = (0, 0);
    for file in &files {
        match file.load() {
            Ok(_) => valid += 1,
            Err(error) => {
                say(&format!("{error}\n"));
                errors += 1;
            }
        }
    }
    let plural = if files.len() == 1 { "" } else { "s" };
    print(&match errors {
        0 => format!("{valid} scenario{plural}: all valid\n"),
        errors => format!("{} scenario{plural}: {valid} valid, {errors} not\n", files.len()),
    })?;
    Ok(if errors == 0 { 0 } else { USAGE })
}

impl Listed {
    fn new(scenario: &Scenario, path: String) -> Self {
        Self {
            name: scenario.name.clone(),
            path,
            length_ms: scenario.length().as_millis(),
            phases: scenario.phases.iter().map(|phase| phase.name.clone()).collect(),
            proves: scenario.proves.clone(),
            origin: scenario.origin.clone(),
        }
    }
}

/// Name, length and phases in columns, and what it proves on a line below.
fn table(listed: &[Listed]) -> String {
    let width = listed.iter().map(|one| one.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for one in listed {
        let seconds = one.length_ms.div_ceil(1000);
        let line =
            format!("{:<width$}  {seconds:>3} s  {}\n    {}", one.name, one.phases.join(", "), one.proves);
        out.push_str(&visible(&line));
        out.push('\n');
    }
    out
}

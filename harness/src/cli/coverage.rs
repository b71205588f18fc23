//! `squall coverage`: adds up what runs left, from one folder of reports or from those of several machines.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::{CoverageArgs, USAGE, print, say};
use crate::coverage::Coverage;
use crate::report::{RunResult, coverage_csv, coverage_text, percent, read_result};

/// What a run leaves of itself.
const RESULT: &str = "result.json";

/// Exit code where less is covered than should be.
const TOO_LITTLE: u8 = 1;

/// How deep below a folder of reports results lie at most: theme, scenario and run, and room for more.
const MOST_DEEP: usize = 16;

/// Results added up.
#[derive(Default)]
struct Sum {
    coverage: Coverage,
    counted: usize,
    /// Skipped runs, canaries, and such.
    without: usize,
    broken: usize,
}

/// Prints the table, or the rows, and returns the exit code.
pub(super) fn coverage(args: &CoverageArgs) -> anyhow::Result<u8> {
    let mut files = Vec::new();
    for path in &args.reports {
        find(path, MOST_DEEP, &mut files)?;
    }
    files.sort();
    files.dedup();
    let world = args.world.map(|world| world.name());
    let sum = add_up(&files, |result| world.is_none_or(|world| result.world == world));
    if sum.counted == 0 && sum.broken == 0 {
        let shown: Vec<String> = args.reports.iter().map(|path| path.display().to_string()).collect();
        bail!("no run in {} tells where it has been; `squall run` leaves such results", shown.join(" or "));
    }
    if args.csv {
        print(&coverage_csv(&sum.coverage)?)?;
    } else {
        print(&format!("{}\n{}", told(&sum), coverage_text(&sum.coverage)))?;
    }
    let least = args.at_least.unwrap_or(0);
    let code = code(&sum, least);
    if code == TOO_LITTLE {
        let covered = percent(sum.coverage.thousandths());
        say(&format!("{covered} are covered, and {least} % should be"));
    }
    Ok(code)
}

fn code(sum: &Sum, at_least: u8) -> u8 {
    if sum.broken > 0 {
        USAGE
    } else if sum.coverage.thousandths() < usize::from(at_least) * 10 {
        TOO_LITTLE
    } else {
        0
    }
}

/// The results at `path`, or below it. Links are not followed.
fn find(path: &Path, deep: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !path.is_dir() {
        fs::metadata(path).with_context(|| format!("failed to read {}", path.display()))?;
        files.push(path.to_owned());
        return Ok(());
    }
    let failed = || format!("failed to list {}", path.display());
    for entry in fs::read_dir(path).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let kind = entry.file_type().with_context(failed)?;
        if kind.is_dir() && deep > 0 {
            find(&entry.path(), deep - 1, files)?;
        } else if kind.is_file() && entry.file_name() == OsStr::new(RESULT) {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn add_up(files: &[PathBuf], meant: impl Fn(&RunResult) -> bool) -> Sum {
    let mut sum = Sum::default();
    for file in files {
        let text = fs::read_to_string(file).map_err(|error| error.to_string());
        match text.and_then(|text| read_result(&text).map_err(|error| error.to_string())) {
            Ok(result) if !meant(&result) => {}
            Ok(RunResult { coverage: Some(coverage), .. }) => {
                sum.coverage.add(&coverage);
                sum.counted += 1;
            }
            Ok(RunResult { coverage: None, .. }) => sum.without += 1,
            Err(error) => {
                say(&format!("error: {}: {error}", file.display()));
                sum.broken += 1;
            }
        }
    }
    sum
}

fn told(sum: &Sum) -> String {
    let runs = if sum.counted == 1 { "run" } else { "runs" };
    let mut text = format!("{} {runs}", sum.counted);
    if sum.without > 0 {
        text.push_str(&format!(
            "; {} without coverage: skipped, gone wrong, a canary, or of an older version",
            sum.without
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Folder, Trouble};

    fn reports(worlds: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        for world in worlds {
            let result = RunResult { world: (*world).to_owned(), ..crate::report::samples::failed() };
            folder.write_run(&result, None).unwrap();
        }
        folder.write_run(&crate::report::samples::skipped(), None).unwrap();
        root
    }

    fn args(reports: &[&tempfile::TempDir]) -> CoverageArgs {
        let reports = reports.iter().map(|folder| folder.path().to_owned()).collect();
        CoverageArgs { reports, world: None, csv: false, at_least: None }
    }

    fn sum(folders: &[&tempfile::TempDir]) -> Sum {
        let mut files = Vec::new();
        folders.iter().for_each(|folder| find(folder.path(), MOST_DEEP, &mut files).unwrap());
        add_up(&files, |_| true)
    }

    #[test]
    fn the_runs_of_several_folders_add_up() {
        let (one, other) = (reports(&["sim", "local"]), reports(&["sim"]));
        let both = sum(&[&one, &other]);
        assert_eq!((both.counted, both.without, both.broken), (3, 2, 0));
        let get = "kill/open/local/get".parse().unwrap();
        assert_eq!((both.coverage.count(get), sum(&[&other]).coverage.count(get)), (6, 2));
        assert!(told(&both).starts_with("3 runs; 2 without coverage"), "{}", told(&both));
    }

    #[test]
    fn too_little_is_code_1_and_what_cannot_be_read_is_code_2() {
        let folder = reports(&["sim"]);
        let found = sum(&[&folder]);
        assert_eq!((code(&found, 0), code(&found, 95)), (0, TOO_LITTLE));
        fs::write(folder.path().join(RESULT), "{}").unwrap();
        assert_eq!(code(&sum(&[&folder]), 95), USAGE);
    }

    #[test]
    fn a_folder_without_such_runs_is_refused_with_a_cure() {
        let folder = reports(&[]);
        let told = coverage(&args(&[&folder])).unwrap_err().to_string();
        assert!(told.contains("`squall run` leaves such results"), "{told}");
        let trouble = Trouble::Stopped.to_string();
        let missing = CoverageArgs { reports: vec![folder.path().join(trouble)], ..args(&[]) };
        assert!(coverage(&missing).unwrap_err().to_string().contains("failed to read"));
    }
}

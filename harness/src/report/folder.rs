//! The report folder: what lies where. Nothing is written outside it, and no file is ever seen half-written.
//!
//! ```text
//! reports/summary.csv  reports/junit.xml  reports/coverage.csv
//! reports/<scenario>/<world>-<seed>/history.jsonl  result.json
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::coverage_csv::{CoverageError, coverage_csv};
use super::json::{JsonError, result_json};
use super::junit::{JunitError, junit_xml};
use super::result::RunResult;
use super::summary_csv::{SummaryError, summary_csv};
use crate::coverage::Coverage;
use crate::history::{self, History, HistoryError};

/// The folder that reports go to.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

/// Why a report could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The disk refused.
    #[error("failed to write {}: {cause}{}", path.display(), cure(cause))]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The name would lead out of the report folder.
    #[error(
        "{name:?} is no name for a folder of reports: it must be relative, without empty or \"..\" parts"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Something that is no folder, such as a symbolic link, lies where a folder should be.
    #[error("{} is not a folder (a symbolic link is not followed); remove it or choose another --report", path.display())]
    NotAFolder {
        /// What lies there.
        path: PathBuf,
    },
    /// The result cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The results cannot be written as XML.
    #[error(transparent)]
    Junit(#[from] JunitError),
    /// The results cannot be written as CSV.
    #[error(transparent)]
    Summary(#[from] SummaryError),
    /// The situations cannot be written as CSV.
    #[error(transparent)]
    Coverage(#[from] CoverageError),
}

impl Folder {
    /// The folder at `root`, made if it is not there. It must be one that can be written to.
    pub fn open(root: &Path) -> Result<Self, ReportError> {
        if root.exists() && !root.is_dir() {
            return Err(ReportError::NotAFolder { path: root.to_path_buf() });
        }
        fs::create_dir_all(root).map_err(disk(root))?;
        // Now rather than after minutes of runs whose results nobody could read.
        let trial = root.join(format!(".{}.part", std::process::id()));
        let written = fs::write(&trial, "x");
        // A full disk makes the file all the same.
        let removed = fs::remove_file(&trial);
        written.and(removed).map_err(disk(root))?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// Where reports go.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes what there is of one run, and returns the run's folder.
    pub fn write_run(&self, result: &RunResult, history: Option<&History>) -> Result<PathBuf, ReportError> {
        let folder = self.folder_of(result)?;
        if let Some(history) = history {
            write_whole(&folder.join("history.jsonl"), |out| match history::write(history, out) {
                Ok(()) => Ok(()),
                Err(HistoryError::Io(cause)) => Err(cause),
                Err(cause) => Err(io::Error::other(cause)),
            })?;
        }
        write_text(&folder.join("result.json"), &result_json(result)?)?;
        Ok(folder)
    }

    /// Writes the reports on all runs together.
    pub fn write_summary(&self, results: &[RunResult]) -> Result<(), ReportError> {
        write_text(&self.root.join("summary.csv"), &summary_csv(results)?)?;
        write_text(&self.root.join("junit.xml"), &junit_xml(results)?)?;
        let coverage = Coverage::sum(results.iter().filter_map(|result| result.coverage.as_ref()));
        write_text(&self.root.join("coverage.csv"), &coverage_csv(&coverage)?)
    }

    /// Makes the run's folder, part by part, so that no link leads out of the report folder.
    fn folder_of(&self, result: &RunResult) -> Result<PathBuf, ReportError> {
        let run = part(&format!("{}-{}", result.world.replace('/', "_"), result.seed))?;
        let parts = result.scenario.split('/').map(part).collect::<Result<Vec<_>, _>>();
        let parts = parts.map_err(|_| ReportError::Name { name: result.scenario.clone() })?;
        self.inner(parts.into_iter().chain([run]))
    }

    /// A folder inside, made if it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made, or what is there is something else, such as a link that might lead out of the report folder.
    pub fn inner(&self, parts: impl IntoIterator<Item: AsRef<Path>>) -> Result<PathBuf, ReportError> {
        let mut folder = self.root.clone();
        for part in parts {
            folder.push(part);
            match fs::create_dir(&folder) {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(disk(&folder)(cause)),
            }
            if !fs::symlink_metadata(&folder).map_err(disk(&folder))?.is_dir() {
                return Err(ReportError::NotAFolder { path: folder });
            }
        }
        Ok(folder)
    }
}

/// One part of a path, with everything but letters, digits, `-`, `_` and `.` replaced.
fn part(name: &str) -> Result<String, ReportError> {
    if name.is_empty() || name == "." || name == ".." {
        return Err(ReportError::Name { name: name.to_owned() });
    }
    let keep = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    Ok(name.chars().map(keep).collect())
}

fn write_text(path: &Path, text: &str) -> Result<(), ReportError> {
    write_whole(path, |mut out| out.write_all(text.as_bytes()))
}

/// Writes a new file beside `path` and puts it in its place when it is whole.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), ReportError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    // A rest of a process that had the same id; the new file is made anew, so that no link in its place is followed.
    let _ = fs::remove_file(&part);
    let written = OpenOptions::new().write(true).create_new(true).open(&part).and_then(|file| {
        write(&file)?;
        file.sync_all()?;
        fs::rename(&part, path)
    });
    written.map_err(|cause| {
        // What is left of a failed write helps nobody; that it cannot be removed either changes nothing.
        let _ = fs::remove_file(&part);
        disk(path)(cause)
    })
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    let path = path.to_path_buf();
    |cause| ReportError::Disk { path, cause }
}

fn cure(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space or choose another --report"
        }
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory => "; choose another --report",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{read_result, samples};

    #[test]
    fn a_run_has_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("new/reports")).unwrap();
        let at = folder.write_run(&samples::failed(), Some(&samples::history())).unwrap();
        assert_eq!(at, root.path().join("new/reports/resync/redis-killed/containers-7"));
        let history = fs::read(at.join("history.jsonl")).unwrap();
        assert_eq!(history::read(history.as_slice()).unwrap(), samples::history());
        let result = fs::read_to_string(at.join("result.json")).unwrap();
        assert_eq!(read_result(&result).unwrap(), samples::failed());
        folder.write_summary(&[samples::failed()]).unwrap();
        assert!(
            ["summary.csv", "junit.xml", "coverage.csv"].iter().all(|file| folder.root().join(file).exists())
        );
        let files = fs::read_dir(at).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(files.len(), 2, "nothing half-written is left: {files:?}");
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("reports")).unwrap();
        for name in ["../escape", "a/../../escape", "/etc/escape", "", "a//b", ".", "a/."] {
            let mut result = samples::passed();
            result.scenario = name.to_owned();
            let error = folder.write_run(&result, None).unwrap_err();
            assert!(matches!(error, ReportError::Name { .. }), "{name}: {error}");
        }
        assert!(!root.path().join("escape").exists());
    }

    #[test]
    fn odd_characters_are_replaced() {
        let root = tempfile::tempdir().unwrap();
        let mut result = samples::passed();
        (result.scenario, result.world) = ("a\\b c/\u{1b}d".to_owned(), "../x".to_owned());
        let at = Folder::open(root.path()).unwrap().write_run(&result, None).unwrap();
        assert_eq!(at, root.path().join("a_b_c/_d/.._x-7"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_not_followed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), root.path().join("resync")).unwrap();
        let error = Folder::open(root.path()).unwrap().write_run(&samples::failed(), None).unwrap_err();
        assert!(matches!(error, ReportError::NotAFolder { .. }), "{error}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_clear_error() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Folder::open(&file.join("reports")).unwrap_err().to_string();
        assert!(error.contains("file/reports") && error.ends_with("choose another --report"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_a_clear_error() {
        let error = write_whole(Path::new("/nowhere/full"), |_| Ok(())).unwrap_err().to_string();
        assert!(error.starts_with("failed to write /nowhere/full"), "{error}");
        let full = ReportError::Disk { path: "x".into(), cause: io::ErrorKind::StorageFull.into() };
        assert!(full.to_string().ends_with("; free some space or choose another --report"), "{full}");
    }
}

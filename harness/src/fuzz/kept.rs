//! What a hunt keeps between runs of the program: how far it is, and the seeds that failed, which are run first the next time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::report::write_whole;

/// The version of the notes' form.
const SCHEMA: u32 = 1;

/// The notes of one hunt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    schema: u32,
    /// What was hunted: subject, flaw, world, kinds of faults, version. Notes of another hunt do not count.
    pub hunted: String,
    /// Seeds that are done, of a hunt that has not come to its end.
    pub done: BTreeSet<u64>,
    /// How many runs ended in which way.
    pub tally: BTreeMap<String, u64>,
    /// Seeds that failed, with the check that failed first.
    pub failed: BTreeMap<u64, String>,
}

/// Where notes lie.
#[derive(Clone, Debug)]
pub struct Kept {
    path: PathBuf,
}

/// A hunt's hold of its notes; it ends with this, or with the process.
#[derive(Debug)]
pub struct Hold {
    path: PathBuf,
    _lock: File,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // What is left says nothing: only who holds the lock counts.
        let _ = fs::remove_file(&self.path);
    }
}

/// Why notes cannot be kept.
#[derive(Debug, Error)]
pub enum KeptError {
    /// Another process is at the same hunt, and would run everything a second time.
    #[error(
        "another `squall fuzz` is at this hunt ({}); wait for it, divide the seeds with --shard, or choose another --report",
        path.display()
    )]
    Held {
        /// Where it keeps its notes.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("failed to {what} {}: {cause}", path.display())]
    Disk {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is not what it should be.
    #[error("{} is no notes of `squall fuzz` ({why}); remove it, or choose another --report", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Notes {
    /// A hunt that begins.
    pub fn new(hunted: String) -> Self {
        let (done, tally, failed) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { schema: SCHEMA, hunted, done, tally, failed }
    }

    /// Notes that the run of `seed` ended, and how.
    pub fn ended(&mut self, seed: u64, how: &str, failed_by: Option<&str>) {
        let count = self.tally.entry(how.to_owned()).or_default();
        *count = count.saturating_add(1);
        if let Some(check) = failed_by {
            self.failed.insert(seed, check.to_owned());
        }
        self.done.insert(seed);
    }

    /// Notes that the hunt has come to its end. The next one begins anew, and with what failed in this one.
    pub fn over(&mut self) {
        self.done.clear();
        self.tally.clear();
    }

    /// How many runs have ended.
    pub fn runs(&self) -> u64 {
        self.tally.values().fold(0, |all, count| all.saturating_add(*count))
    }
}

impl Kept {
    /// Notes in a folder, one file for each kind of hunt.
    pub fn at(folder: &Path, name: &str) -> Self {
        Self { path: folder.join(format!("{name}.json")) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes hold of the notes, so that no other process goes by them meanwhile.
    ///
    /// # Errors
    ///
    /// Another process has hold of them, or the disk refused.
    pub fn hold(&self) -> Result<Hold, KeptError> {
        let path = self.path.with_extension("lock");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o644));
        let lock = File::from(opened.map_err(|cause| self.disk("write", cause.into()))?);
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Hold { path, _lock: lock }),
            Err(Errno::WOULDBLOCK) => Err(KeptError::Held { path: self.path.clone() }),
            Err(cause) => Err(self.disk("lock", cause.into())),
        }
    }

    /// The notes, if there are any.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no notes.
    pub fn load(&self) -> Result<Option<Notes>, KeptError> {
        let foreign = |why: String| KeptError::Foreign { path: self.path.clone(), why };
        // Whoever reads what is no file may wait for ever.
        match fs::symlink_metadata(&self.path) {
            Ok(found) if !found.is_file() => return Err(foreign("it is no plain file".to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(self.disk("read", cause)),
        }
        let text = fs::read_to_string(&self.path).map_err(|cause| self.disk("read", cause))?;
        let notes: Notes = serde_json::from_str(&text).map_err(|error| foreign(error.to_string()))?;
        if notes.schema != SCHEMA {
            return Err(foreign(format!("its form is version {}", notes.schema)));
        }
        Ok(Some(notes))
    }

    /// Keeps the notes. The file is never seen half-written.
    ///
    /// # Errors
    ///
    /// The disk refused.
    pub fn save(&self, notes: &Notes) -> Result<(), KeptError> {
        let text = serde_json::to_string_pretty(notes).map_err(|error| self.disk("write", error.into()))?;
        write_whole(&self.path, |mut out| out.write_all(text.as_bytes()))
            .map_err(|error| self.disk("write", io::Error::other(error)))
    }

    fn disk(&self, what: &'static str, cause: io::Error) -> KeptError {
        KeptError::Disk { what, path: self.path.clone(), cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::at(folder.path(), "reference");
        assert_eq!(kept.load().unwrap(), None);
        let mut notes = Notes::new("reference".to_owned());
        notes.ended(5, "passed", None);
        notes.ended(8, "failed", Some("I1"));
        kept.save(&notes).unwrap();
        let mut again = kept.load().unwrap().unwrap();
        assert_eq!(again, notes);
        assert_eq!((again.runs(), &again.done), (2, &BTreeSet::from([5, 8])));
        again.over();
        assert_eq!((again.runs(), again.done.len(), again.failed.len()), (0, 0, 1));
    }

    #[test]
    fn one_at_a_time_has_hold_of_notes_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, other) = (Kept::at(folder.path(), "x"), Kept::at(folder.path(), "y"));
        let hold = kept.hold().unwrap();
        let error = kept.hold().unwrap_err().to_string();
        assert!(
            error.contains("another `squall fuzz` is at this hunt") && error.contains("--shard"),
            "{error}"
        );
        drop(other.hold().unwrap());
        drop(hold);
        drop(kept.hold().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn counts_that_somebody_made_huge_are_no_panic() {
        let mut notes = Notes::new("reference".to_owned());
        notes.tally.insert("passed".to_owned(), u64::MAX);
        notes.ended(5, "passed", None);
        notes.ended(6, "failed", Some("I1"));
        assert_eq!(notes.runs(), u64::MAX);
    }

    #[test]
    fn a_foreign_file_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::at(folder.path(), "x");
        fs::write(kept.path(), "{}").unwrap();
        let error = kept.load().unwrap_err().to_string();
        assert!(
            error.contains("x.json is no notes of `squall fuzz`") && error.contains("remove it"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_plain_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("x.json");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let error = Kept::at(folder.path(), "x").load().unwrap_err().to_string();
        assert!(error.contains("no notes of `squall fuzz` (it is no plain file)"), "{error}");
        std::os::unix::fs::symlink(&pipe, folder.path().join("y.json")).unwrap();
        assert!(Kept::at(folder.path(), "y").load().is_err());
    }
}

//! The folder of a server of ours, its log and its data, or of what instances keep on disk, below the system's folder for what is temporary. A lock that this
//! process holds as long as it lives says that the folder is in use, so that the next run can tell and remove what a killed one
//! left behind.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use squall_client::Clock;
use tempfile::TempDir;

const PREFIX: &str = "squall-local-";
const LOCK: &str = "owner.lock";
const LOG: &str = "server.log";

/// How many of the last lines of a log are quoted.
const QUOTED: usize = 8;

/// A folder without a lock is one that is being made, or was when its maker was killed.
const MADE_WITHIN: Duration = Duration::from_secs(60);

/// The folder. Dropped, it is removed.
pub(crate) struct Folder {
    folder: TempDir,
    _lock: File,
}

impl Folder {
    /// Makes one.
    pub(crate) fn make() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        let making = folder.path().join("making");
        let lock = File::create_new(&making)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        // Nobody ever finds the lock without its being held.
        fs::rename(&making, folder.path().join(LOCK))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The log, to be written on.
    pub(super) fn log(&self) -> io::Result<File> {
        File::options().create(true).append(true).open(self.path().join(LOG))
    }

    /// The last lines of the log, each on a line of its own.
    pub(super) fn last_lines(&self) -> String {
        let log = fs::read(self.path().join(LOG)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            return "it said nothing".to_owned();
        }
        let last = &lines[lines.len().saturating_sub(QUOTED)..];
        format!("its last lines:\n    {}", last.join("\n    "))
    }
}

/// Removes what dead runs of this user left: folders, and servers that run in them. A failure here hurts nobody.
pub(crate) fn sweep_dead() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = sweep(&entry.path());
        }
    }
}

fn sweep(folder: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return Ok(());
    }
    let lock = match File::open(folder.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let age = Clock::system().unix_ms().saturating_sub(found.mtime().unsigned_abs() * 1000);
            return if u128::from(age) > MADE_WITHIN.as_millis() {
                fs::remove_dir_all(folder)
            } else {
                Ok(())
            };
        }
        Err(error) => return Err(error),
    };
    // Held: its owner lives.
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    for process in living_in(folder) {
        kill_process(process, Signal::KILL)?;
    }
    fs::remove_dir_all(folder)
}

/// The servers that were started in `folder`: they work there, and what they say goes to its log. Somebody who only looks
/// around there is let be.
fn living_in(folder: &Path) -> Vec<Pid> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let log = folder.join(LOG);
    let leads = |process: &Path, link: &str, to: &Path| {
        fs::read_link(process.join(link)).is_ok_and(|target| target == to)
    };
    let is_server = |process: &PathBuf| leads(process, "cwd", &folder) && leads(process, "fd/1", &log);
    let number = |process: PathBuf| process.file_name()?.to_str()?.parse().ok().and_then(Pid::from_raw);
    processes.flatten().map(|entry| entry.path()).filter(is_server).filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_let_be_and_a_dead_ones_is_removed_with_what_runs_there() {
        let used = Folder::make().unwrap();
        sweep_dead();
        assert!(used.path().exists());

        let dead = tempfile::Builder::new().prefix("dead").tempdir().unwrap();
        fs::write(dead.path().join(LOCK), "").unwrap();
        let log = File::create(dead.path().join(LOG)).unwrap();
        let sleeps = || {
            let mut command = std::process::Command::new("sleep");
            command.arg("600").current_dir(dead.path());
            command
        };
        let (mut server, mut guest) = (sleeps().stdout(log).spawn().unwrap(), sleeps().spawn().unwrap());
        sweep(dead.path()).unwrap();
        assert!(!dead.path().exists());
        assert!(!server.wait().unwrap().success());
        assert!(guest.try_wait().unwrap().is_none(), "who only looks around there is let be");
        guest.kill().unwrap();
        guest.wait().unwrap();
    }

    #[test]
    fn a_folder_that_is_being_made_is_let_be() {
        let made = tempfile::Builder::new().prefix("made").tempdir().unwrap();
        sweep(made.path()).unwrap();
        assert!(made.path().exists());
        let old = Clock::system().unix_ms() / 1000 - 3600;
        let old = std::time::UNIX_EPOCH + Duration::from_secs(old);
        File::open(made.path()).unwrap().set_modified(old).unwrap();
        sweep(made.path()).unwrap();
        assert!(!made.path().exists());
    }

    #[test]
    fn the_end_of_the_log_is_quoted() {
        let folder = Folder::make().unwrap();
        assert_eq!(folder.last_lines(), "it said nothing");
        let lines: Vec<String> = (0..20).map(|number| format!("line {number}")).collect();
        fs::write(folder.path().join(LOG), lines.join("\n")).unwrap();
        let quoted = folder.last_lines();
        assert!(quoted.contains("line 12\n") && quoted.ends_with("line 19"), "{quoted}");
        assert!(!quoted.contains("line 11"));
    }
}

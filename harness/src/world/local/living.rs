//! Every server of ours that lives in this process, so that all of them can be ended when the program is told to end.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use super::folder::Folder;
use super::process::Process;

static LIVING: Mutex<Living> = Mutex::new(Living { over: false, count: 0, homes: BTreeMap::new() });

struct Living {
    /// Nothing may start any more.
    over: bool,
    count: u64,
    homes: BTreeMap<u64, Weak<Home>>,
}

/// A server's folder, and the process that runs there. Dropped, both are gone.
pub(super) struct Home {
    number: u64,
    path: PathBuf,
    // Before the folder, since it is to end first.
    process: Mutex<Option<Process>>,
    folder: Mutex<Option<Folder>>,
}

/// Lets a server have `folder`.
pub(super) fn enter(folder: Folder) -> Arc<Home> {
    let mut living = locked(&LIVING);
    living.count += 1;
    let (number, path) = (living.count, folder.path().to_path_buf());
    let home = Home { number, path, process: Mutex::new(None), folder: Mutex::new(Some(folder)) };
    let home = Arc::new(home);
    living.homes.insert(number, Arc::downgrade(&home));
    home
}

/// Ends every server of this process and removes its folder; none starts after that. Called when it is told to end.
pub(super) fn sweep() {
    let homes: Vec<Arc<Home>> = {
        let mut living = locked(&LIVING);
        living.over = true;
        living.homes.values().filter_map(Weak::upgrade).collect()
    };
    homes.iter().for_each(|home| home.leave());
}

impl Home {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The process, if one runs.
    pub(super) fn process(&self) -> MutexGuard<'_, Option<Process>> {
        locked(&self.process)
    }

    /// Starts the process.
    pub(super) fn start(
        &self,
        program: &Path,
        arguments: &[String],
        died: watch::Sender<Option<ExitStatus>>,
    ) -> io::Result<()> {
        // Held until it is where a sweep finds it.
        let living = locked(&LIVING);
        let log = match &*locked(&self.folder) {
            Some(folder) if !living.over => folder.log()?,
            Some(_) | None => return Err(io::Error::other("everything is being ended")),
        };
        *self.process() = Some(Process::start(program, arguments, &self.path, log, died)?);
        Ok(())
    }

    /// Removes a file of the folder, if it is there.
    pub(super) fn remove(&self, file: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The last lines of the server's log, for an error.
    pub(super) fn last_lines(&self) -> String {
        locked(&self.folder).as_ref().map_or_else(String::new, Folder::last_lines)
    }

    /// Ends the process and removes the folder.
    pub(super) fn leave(&self) {
        drop(self.process().take());
        drop(locked(&self.folder).take());
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        locked(&LIVING).homes.remove(&self.number);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

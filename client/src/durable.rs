//! Sessions on disk: loaded when a client starts, written before a write is acknowledged without Redis, removed once Redis has
//! them.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::answer::Level;
use crate::clock::Clock;
use crate::core::time::Time;
use crate::disk::{DiskError, DiskFile, Journal};
use crate::event::{Event, Observer};
use crate::store::{Memory, Store};

/// What the start found on disk.
pub(crate) struct Loaded {
    pub(crate) journal: Journal,
    /// Sessions that are damaged. They stay where they are.
    pub(crate) damaged: u64,
}

/// Opens the file, or makes it, and takes in what lies there. It blocks.
pub(crate) fn load(
    path: &Path,
    memory: &Memory,
    clock: &Clock,
    observer: &Observer,
) -> Result<Loaded, DiskError> {
    let file = DiskFile::open(path)?;
    let mut damaged = 0;
    for (id, bytes) in file.read()? {
        let loaded = memory.lock().load(clock.now(), &id, &bytes);
        damaged += u64::from(loaded.is_err());
    }
    let (clock, observer) = (clock.clone(), observer.clone());
    let on_trouble = move |trouble: Option<&DiskError>| {
        observer(&Event::Disk { at: clock.now(), trouble: trouble.map(ToString::to_string) });
    };
    let journal = Journal::start(file, Box::new(on_trouble))
        .map_err(|why| DiskError::Open { path: path.to_owned(), why: why.to_string() })?;
    Ok(Loaded { journal, damaged })
}

impl Store {
    /// By when Redis must have answered a write that is to be done by `deadline`: what comes then takes its time too.
    pub(crate) fn redis_by(&self, deadline: Time) -> Time {
        let now = self.clock.now();
        let reserve = if self.journal.is_some() { DISK_TAKES } else { Duration::ZERO };
        now + deadline.since(now).saturating_sub(reserve.min(deadline.since(now) / 2))
    }

    /// Makes a session that Redis may lack as durable as can be by `deadline`, and says how durable that is.
    pub(crate) async fn keep(&self, id: &str, deadline: Time) -> Level {
        let Some(journal) = &self.journal else { return Level::Memory };
        let written = {
            // Under this lock, so that changes of one session reach the disk in their order.
            let mut sessions = self.memory.lock();
            match sessions.save(id) {
                Some(change) => journal.write(change),
                None => return Level::Redis,
            }
        };
        match tokio::time::timeout_at(self.clock.instant(deadline), written).await {
            Ok(Ok(true)) => Level::Disk,
            Ok(Ok(false) | Err(_)) | Err(_) => {
                self.disk_failures.fetch_add(1, Ordering::Relaxed);
                Level::Memory
            }
        }
    }

    /// Takes from the disk what Redis has by now.
    pub(crate) fn tidy_disk(&self) {
        if let Some(journal) = &self.journal {
            let mut sessions = self.memory.lock();
            journal.change(sessions.take_arrived());
        }
    }

    /// Writes what still waits for the disk, and gives the file free.
    pub(crate) async fn close_disk(self: std::sync::Arc<Self>) {
        self.tidy_disk();
        if self.journal.is_some() {
            let limit = self.settings.now().deadline;
            let closing = tokio::task::spawn_blocking(move || self.journal.as_ref().map(Journal::close));
            // A disk that stands still must not hold up the end.
            let _closed = tokio::time::timeout(limit, closing).await;
        }
    }
}

/// How much of an operation's time is kept for the disk.
const DISK_TAKES: Duration = Duration::from_millis(250);

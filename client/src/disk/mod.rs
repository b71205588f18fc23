//! The durable fallback: what was accepted here while Redis was away lies on disk before it is acknowledged.
//!
//! A thread of its own writes. What many callers ask for while it is busy goes to disk as one, so a slow disk costs each of them
//! two commits at most. A disk that fails is tried again and again; meanwhile acknowledgements say that they are in memory only.

mod file;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

pub use file::DiskError;
pub(crate) use file::DiskFile;

use crate::core::sessions::DiskChange;

/// Told when the disk fails (with the reason), and when it works again.
pub(crate) type OnTrouble = Box<dyn Fn(Option<&DiskError>) + Send>;

/// Takes changes to the disk, in order. Dropping it writes what waits, later; [`Journal::close`] waits for that.
pub(crate) struct Journal {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

type Changes = BTreeMap<Arc<str>, DiskChange>;

type Waiting = Vec<oneshot::Sender<bool>>;

#[derive(Default)]
struct Queue {
    /// The newest of each session, so that a disk that stands still does not let it grow beyond the local copy.
    changes: Changes,
    waiting: Waiting,
    closed: bool,
    /// Nobody writes any more, though it was not closed.
    dead: bool,
}

impl Journal {
    /// Starts the thread that writes to `file`.
    pub(crate) fn start(file: DiskFile, on_trouble: OnTrouble) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = Writer { shared: Arc::clone(&shared), file, on_trouble, failing: false };
        let thread = thread::Builder::new().name("squall-disk".to_owned()).spawn(move || writer.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Takes changes that nobody waits for. It does not block.
    pub(crate) fn change(&self, changes: impl IntoIterator<Item = (Arc<str>, DiskChange)>) {
        let mut queue = self.shared.lock();
        let before = queue.changes.len();
        queue.changes.extend(changes);
        if queue.changes.len() > before {
            self.shared.wake.notify_one();
        }
    }

    /// Takes a change; tells when it lies on disk (true), or that the disk failed (false). It does not block.
    pub(crate) fn write(&self, (id, change): (Arc<str>, DiskChange)) -> oneshot::Receiver<bool> {
        let (told, written) = oneshot::channel();
        let mut queue = self.shared.lock();
        if queue.dead {
            // Dropping the sender tells that it failed.
            return written;
        }
        queue.changes.insert(id, change);
        if queue.waiting.len() >= MANY_WAITING {
            queue.waiting.retain(|told| !told.is_closed());
        }
        queue.waiting.push(told);
        self.shared.wake.notify_one();
        written
    }

    /// Writes what waits, and gives the file free. It blocks.
    pub(crate) fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that has panicked has said so.
            let _ended = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }
}

/// The end of the thread, by panic or not: who waits, now or later, waits for nothing.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.dead = true;
        (queue.changes, queue.waiting) = (Changes::new(), Waiting::new());
    }
}

struct Writer {
    shared: Arc<Shared>,
    file: DiskFile,
    on_trouble: OnTrouble,
    failing: bool,
}

impl Writer {
    fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        while let Some((changes, waiting)) = self.next() {
            let written = self.file.commit(&changes);
            if written.is_err() != self.failing {
                self.failing = written.is_err();
                // An observer that panics must not end the writing. The panic has been printed by then.
                let _told = catch_unwind(AssertUnwindSafe(|| (self.on_trouble)(written.as_ref().err())));
            }
            let works = written.is_ok();
            if !works {
                // What has come meanwhile is newer.
                let mut queue = self.shared.lock();
                changes.into_iter().for_each(|(id, change)| {
                    queue.changes.entry(id).or_insert(change);
                });
            }
            waiting.into_iter().for_each(|told| {
                // A caller that has gone away needs no answer.
                let _gone = told.send(works);
            });
        }
    }

    /// What is to be written next; `None` when there is nothing more and never will be.
    fn next(&mut self) -> Option<(Changes, Waiting)> {
        let mut queue = self.shared.lock();
        if self.failing {
            if queue.closed {
                return None;
            }
            queue = self.pause(queue, TRY_AGAIN);
        }
        while queue.changes.is_empty() && !queue.closed {
            queue = self.shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        // What nobody waits for may gather.
        if queue.waiting.is_empty() && !queue.closed {
            queue = self.pause(queue, GATHER);
        }
        let (changes, waiting) = (std::mem::take(&mut queue.changes), std::mem::take(&mut queue.waiting));
        (!changes.is_empty()).then_some((changes, waiting))
    }

    /// Waits so long, or until it is closed; while all is well, or until somebody waits for an answer.
    fn pause<'a>(&self, queue: MutexGuard<'a, Queue>, length: Duration) -> MutexGuard<'a, Queue> {
        let goes_on = |queue: &mut Queue| !queue.closed && (self.failing || queue.waiting.is_empty());
        let waited = self.shared.wake.wait_timeout_while(queue, length, goes_on);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How long a disk that failed is left alone.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Callers that wait for the disk, some of whom may have gone away.
const MANY_WAITING: usize = 4096;
/// How long changes gather that nobody waits for.
const GATHER: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

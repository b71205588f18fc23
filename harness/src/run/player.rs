//! An instance of a run by its number. Who has the number may change: one crashes, and another takes its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::subject::Instance;

/// A number of a run, with the instance that has it just now, if any.
pub(super) struct Player {
    pub(super) number: u16,
    /// What whoever has it may know and must be shown nowhere.
    pub(super) secrets: Vec<String>,
    life: watch::Sender<Option<Arc<Life>>>,
}

/// An instance from its start to its end.
pub(super) struct Life {
    pub(super) instance: Box<dyn Instance>,
    /// What it says is recorded while this is true.
    heard: Arc<AtomicBool>,
    cut: watch::Sender<bool>,
    in_flight: watch::Sender<u64>,
}

/// An operation that is handed to an instance, until it has ended.
pub(super) struct Handed(Arc<Life>);

impl Player {
    /// With its first instance.
    pub(super) fn new(number: u16, secrets: Vec<String>, life: Life) -> Self {
        Self { number, secrets, life: watch::Sender::new(Some(Arc::new(life))) }
    }

    /// Who has the number; `None` while nobody does.
    pub(super) fn now(&self) -> Option<Arc<Life>> {
        self.life.borrow().clone()
    }

    /// Hands it an operation, if there is somebody to ask.
    pub(super) fn hand(&self) -> Option<Handed> {
        // While it is borrowed nobody can take the instance away, so none is in flight that was not counted by then.
        let life = self.life.borrow();
        let life = life.as_ref()?;
        life.in_flight.send_modify(|count| *count += 1);
        Some(Handed(Arc::clone(life)))
    }

    /// Takes the instance away: nobody asks it from now on.
    pub(super) fn vacate(&self) -> Option<Arc<Life>> {
        self.life.send_replace(None)
    }

    /// Another instance takes the number.
    pub(super) fn follow(&self, life: Life) {
        self.life.send_replace(Some(Arc::new(life)));
    }

    /// Waits until the instance that has the number broke, whoever that is by then, and says why.
    pub(super) async fn broken(&self) -> String {
        let mut changes = self.life.subscribe();
        loop {
            let life = changes.borrow_and_update().clone();
            let broke = async {
                match &life {
                    Some(life) => life.instance.broken().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                changed = changes.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
                why = broke => return why,
            }
        }
    }
}

impl Life {
    /// An instance that has started; what it says is recorded while `heard` is true.
    pub(super) fn new(instance: Box<dyn Instance>, heard: Arc<AtomicBool>) -> Self {
        Self { instance, heard, cut: watch::Sender::new(false), in_flight: watch::Sender::new(0) }
    }

    /// How many operations it was handed that have not ended.
    pub(super) fn in_flight(&self) -> u64 {
        *self.in_flight.borrow()
    }

    /// Waits until it is let go.
    pub(super) async fn cut(&self) {
        let mut cut = self.cut.subscribe();
        // It has the sender itself.
        let _ = cut.wait_for(|cut| *cut).await;
    }

    /// Waits until everything that it was handed has ended, but no longer than that.
    pub(super) async fn idle(&self, patience: Duration) {
        let mut in_flight = self.in_flight.subscribe();
        // What has not ended by then is cut.
        let _ = tokio::time::timeout(patience, in_flight.wait_for(|count| *count == 0)).await;
    }

    /// Lets it go: what it was handed and has not ended is cut, and what it says from now on is not heard. Dropped when this
    /// returns.
    pub(super) async fn drop_now(mut self: Arc<Self>) {
        self.heard.store(false, Ordering::SeqCst);
        self.cut.send_replace(true);
        // Those who hold it only need to be asked once more.
        loop {
            match Arc::try_unwrap(self) {
                Ok(life) => return drop(life),
                Err(held) => self = held,
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Handed {
    /// The instance.
    pub(super) fn to(&self) -> &dyn Instance {
        self.0.instance.as_ref()
    }

    /// Waits until the instance is gone, with the operation.
    pub(super) async fn cut(&self) {
        self.0.cut().await;
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|count| *count -= 1);
    }
}

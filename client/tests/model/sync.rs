//! As much of tokio's `sync` as the client's files use, for shuttle's tasks: `Notify`, and a `watch` channel. It keeps to what tokio's
//! documentation says of them. Others may run before each of their steps, and not within one: that is what tokio's locks inside are for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use shuttle::sync::atomic::{AtomicU64, Ordering};

pub(crate) mod futures {
    pub(crate) use super::Notified;
}

/// Wakes all who wait.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    /// How often it woke them.
    woken: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

/// Ends with the first [`Notify::notify_waiters`] after it was made, polled by then or not.
pub(crate) struct Notified<'a> {
    notify: &'a Notify,
    woken: u64,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        Notified { notify: self, woken: self.woken.load(Ordering::SeqCst) }
    }

    pub(crate) fn notify_waiters(&self) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.notify.woken.load(Ordering::SeqCst) != self.woken {
            return Poll::Ready(());
        }
        let mut waiting = self.notify.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(context.waker().clone());
        Poll::Pending
    }
}

pub(crate) mod watch {
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use super::Notify;

    #[derive(Debug)]
    struct Shared<T> {
        held: Mutex<Held<T>>,
        changed: Notify,
    }

    #[derive(Debug)]
    struct Held<T> {
        value: T,
        /// The sender is gone.
        closed: bool,
    }

    pub(crate) struct Sender<T>(Arc<Shared<T>>);

    #[derive(Debug)]
    pub(crate) struct Receiver<T>(Arc<Shared<T>>);

    /// The sender is gone, and what was waited for never came.
    #[derive(Debug)]
    pub(crate) struct RecvError;

    pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
        let held = Mutex::new(Held { value, closed: false });
        let shared = Arc::new(Shared { held, changed: Notify::new() });
        (Sender(Arc::clone(&shared)), Receiver(shared))
    }

    impl<T> Shared<T> {
        fn lock(&self) -> MutexGuard<'_, Held<T>> {
            self.held.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T> Sender<T> {
        pub(crate) fn send_replace(&self, value: T) -> T {
            let before = std::mem::replace(&mut self.0.lock().value, value);
            self.0.changed.notify_waiters();
            before
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            self.0.lock().closed = true;
            self.0.changed.notify_waiters();
        }
    }

    impl<T> Clone for Receiver<T> {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }

    impl<T: Clone> Receiver<T> {
        /// Tokio gives a guard of the value; a copy of it serves as well.
        pub(crate) async fn wait_for(&mut self, such: impl Fn(&T) -> bool) -> Result<T, RecvError> {
            loop {
                let changed = self.0.changed.notified();
                {
                    let held = self.0.lock();
                    if such(&held.value) {
                        return Ok(held.value.clone());
                    }
                    if held.closed {
                        return Err(RecvError);
                    }
                }
                changed.await;
            }
        }
    }
}

//! The recording tap: what every byte between an instance and Redis passes through, and the only honest witness of what left
//! the instance.
//!
//! It mirrors what it meets: a reset on one side resets the other, an end ends it, and while the way to Redis refuses
//! connections the tap's own port is closed.

mod connection;
mod port;
mod wire;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::history::{Event, Wire};
use crate::recorder::Recorder;
use port::Port;

/// A tap of one instance. Dropping it ends it and its connections.
pub struct Tap {
    shared: Arc<Shared>,
    port: Port,
    accepting: Mutex<Accepting>,
}

/// How many strikes close the port just now, and the task that accepts while none does.
#[derive(Default)]
struct Accepting {
    refusals: u32,
    task: Option<AbortHandle>,
}

struct Shared {
    instance: u16,
    upstream: Mutex<SocketAddr>,
    recorder: Recorder,
    opened: AtomicU32,
    open: AtomicU64,
    /// Told when every connection is to be reset.
    reset: Notify,
}

impl Tap {
    /// Listens on a port of this machine's own, and passes on to `upstream`. Must be called within a tokio runtime.
    pub fn start(instance: u16, upstream: SocketAddr, recorder: Recorder) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            instance,
            upstream: Mutex::new(upstream),
            recorder,
            opened: AtomicU32::new(0),
            open: AtomicU64::new(0),
            reset: Notify::new(),
        });
        let port = Port::reserve()?;
        let task = accept_on(&port, &shared)?;
        Ok(Self { shared, port, accepting: Mutex::new(Accepting { refusals: 0, task: Some(task) }) })
    }

    /// Where the instance connects to.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Passes connections that are opened from now on to another address.
    pub fn redirect(&self, upstream: SocketAddr) {
        *lock(&self.shared.upstream) = upstream;
    }

    /// Closes the port and resets every connection. To be followed by as many [`accept`](Self::accept)s.
    pub fn refuse(&self) {
        let mut accepting = lock(&self.accepting);
        accepting.refusals += 1;
        if let Some(task) = accepting.task.take() {
            task.abort();
        }
        self.shared.reset.notify_waiters();
    }

    /// Takes one [`refuse`](Self::refuse) back. The port is open again when all are taken back.
    pub fn accept(&self) -> std::io::Result<()> {
        let mut accepting = lock(&self.accepting);
        accepting.refusals = accepting.refusals.saturating_sub(1);
        if accepting.refusals == 0 && accepting.task.is_none() {
            accepting.task = Some(accept_on(&self.port, &self.shared)?);
        }
        Ok(())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.accepting).task.take() {
            task.abort();
        }
        self.shared.reset.notify_waiters();
    }
}

impl Shared {
    fn record(&self, connection: u32, what: Wire) {
        self.recorder.record(Event::Wire { instance: self.instance, connection, what });
    }
}

fn accept_on(port: &Port, shared: &Arc<Shared>) -> std::io::Result<AbortHandle> {
    let listener = TcpListener::from_std(port.listen()?)?;
    let shared = Arc::clone(shared);
    let task = tokio::spawn(async move {
        loop {
            // An accept fails when the peer is gone already, or when the process is out of files; the next may work.
            let Ok((client, _)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let number = shared.opened.fetch_add(1, Ordering::Relaxed);
            shared.open.fetch_add(1, Ordering::Relaxed);
            shared.record(number, Wire::Opened);
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let by = connection::carry(&shared, number, client).await;
                shared.open.fetch_sub(1, Ordering::Relaxed);
                shared.record(number, Wire::Closed { by });
            });
        }
    });
    Ok(task.abort_handle())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

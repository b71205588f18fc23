//! The recording tap: a listener of each instance's own, in front of the faults. It passes bytes on unchanged and at once, and
//! records what crosses; it is the only honest witness of what left the subject.
//!
//! It mirrors what it meets, so that the subject sees what it would see without the tap: a reset stays a reset, an end an end.

mod connection;
mod frames;
mod keys;
mod port;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::recorder::Recorder;
use port::Port;

/// How long to wait before accepting again after accepting failed, as it does when files run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// One instance's way to Redis. Dropping it resets its connections.
#[derive(Debug)]
pub struct Tap {
    shared: Arc<Shared>,
    links: Arc<Mutex<Links>>,
    port: Port,
    accepting: tokio::sync::Mutex<Accepting>,
}

#[derive(Debug)]
struct Shared {
    instance: u16,
    recorder: Recorder,
    upstream: Mutex<SocketAddr>,
    open: AtomicU64,
    opened: AtomicU32,
}

/// The tasks of live connections. Not part of what they share: dropping the last owner must end them.
#[derive(Debug, Default)]
struct Links {
    tasks: JoinSet<()>,
    handles: Vec<AbortHandle>,
}

impl Links {
    fn spawn(&mut self, link: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        // Now and then is enough to keep the list no longer than twice what is live.
        if self.handles.len() > 2 * self.tasks.len() {
            self.handles.retain(|link| !link.is_finished());
        }
        self.handles.push(self.tasks.spawn(link));
    }
}

/// The task that accepts, if any; dropping it closes the listener.
#[derive(Debug, Default)]
struct Accepting(Option<JoinHandle<()>>);

impl Tap {
    /// Listens on a free port of 127.0.0.1 and passes every connection on to `upstream`.
    pub async fn listen(instance: u16, upstream: SocketAddr, recorder: Recorder) -> io::Result<Self> {
        let shared = Shared {
            instance,
            recorder,
            upstream: Mutex::new(upstream),
            open: AtomicU64::new(0),
            opened: AtomicU32::new(0),
        };
        let (links, accepting) = Default::default();
        let tap = Self { shared: Arc::new(shared), links, port: Port::reserve()?, accepting };
        tap.accept().await?;
        Ok(tap)
    }

    /// Where the instance connects to. It stays the same for the tap's life.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// How many connections the instance has open now.
    pub fn connections(&self) -> u64 {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Passes connections that are opened from now on to `upstream`.
    pub fn forward_to(&self, upstream: SocketAddr) {
        *locked(&self.shared.upstream) = upstream;
    }

    /// Closes the listener: new connections are refused, live ones go on.
    pub async fn deafen(&self) {
        let mut accepting = self.accepting.lock().await;
        if let Some(task) = &mut accepting.0 {
            task.abort();
            // It ends as cancelled; only then is the listener surely closed.
            let _cancelled = task.await;
            accepting.0 = None;
        }
    }

    /// Resets every live connection, idle or not.
    pub async fn reset(&self) {
        let mut live = std::mem::take(&mut *locked(&self.links));
        live.tasks.shutdown().await;
    }

    /// Resets those live connections that `chosen` says yes to; it is asked for each, the oldest first.
    pub async fn reset_some(&self, mut chosen: impl FnMut() -> bool) {
        let struck: Vec<AbortHandle> = {
            let mut links = locked(&self.links);
            links.handles.retain(|link| !link.is_finished());
            links.handles.iter().filter(|_| chosen()).cloned().collect()
        };
        struck.iter().for_each(AbortHandle::abort);
        while !struck.iter().all(AbortHandle::is_finished) {
            tokio::task::yield_now().await;
        }
    }

    /// Resets live connections and refuses new ones.
    pub async fn refuse(&self) {
        self.deafen().await;
        self.reset().await;
    }

    /// Listens again, on the same port. Nothing changes if it listens already.
    pub async fn accept(&self) -> io::Result<()> {
        let mut accepting = self.accepting.lock().await;
        if accepting.0.is_none() {
            let listener = self.port.listen()?;
            accepting.0 =
                Some(tokio::spawn(accept(listener, Arc::clone(&self.shared), Arc::clone(&self.links))));
        }
        Ok(())
    }
}

impl Shared {
    fn upstream(&self) -> SocketAddr {
        *locked(&self.upstream)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // The task that accepts holds them as well, and ends a moment later.
        locked(&self.links).tasks.abort_all();
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, links: Arc<Mutex<Links>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let run = connection::run(client, Arc::clone(&shared));
        locked(&links).spawn(run);
    }
}

#[cfg(test)]
mod tests;

//! A link between TCP sockets: a listener of the instance's own in front of Redis, or of whatever stands before it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::port::Port;
use super::{Link, Tcp, locked};
use crate::plan::Strike;
use crate::recorder::Recorder;

/// How long to wait before accepting again after accepting failed, as it does when files run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// A link with a port. Dropping it resets its connections.
#[derive(Debug)]
pub struct Proxy {
    link: Arc<Link>,
    upstream: Arc<Mutex<SocketAddr>>,
    port: Port,
    accepting: tokio::sync::Mutex<Accepting>,
}

/// The task that accepts, if any; dropping it closes the listener.
#[derive(Debug, Default)]
struct Accepting(Option<JoinHandle<()>>);

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and carries every connection to `upstream`. `seed` is the run's.
    pub async fn listen(
        instance: u16,
        seed: u64,
        upstream: SocketAddr,
        recorder: Recorder,
    ) -> io::Result<Self> {
        let proxy = Self {
            link: Arc::new(Link::new(instance, seed, recorder)),
            upstream: Arc::new(Mutex::new(upstream)),
            port: Port::reserve()?,
            accepting: tokio::sync::Mutex::default(),
        };
        proxy.accept().await?;
        Ok(proxy)
    }

    /// Where the instance connects to. It stays the same for the proxy's life.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// How many connections the instance has open now.
    pub fn connections(&self) -> u64 {
        self.link.connections()
    }

    /// Carries connections that are opened from now on to `upstream`.
    pub fn forward_to(&self, upstream: SocketAddr) {
        *locked(&self.upstream) = upstream;
    }

    /// Begins a strike that bends the link or resets its connections.
    pub async fn begin(&self, number: u32, strike: &Strike) {
        self.link.begin(number, strike).await;
    }

    /// Ends a strike that bends the link or resets its connections.
    pub async fn end(&self, number: u32, strike: &Strike) {
        self.link.end(number, strike).await;
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
        self.link.reset().await;
    }

    /// Resets the live connections that a strike hits, which is such a share of them.
    pub async fn reset_chosen(&self, strike: u32, share: f64) {
        self.link.reset_chosen(strike, share).await;
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
            let (link, upstream) = (Arc::clone(&self.link), Arc::clone(&self.upstream));
            accepting.0 = Some(tokio::spawn(accept(listener, link, upstream)));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The task that accepts holds the link as well, and ends only when it is next looked after.
        drop(std::mem::take(&mut *locked(&self.link.live)));
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, link: Arc<Link>, upstream: Arc<Mutex<SocketAddr>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let upstream = *locked(&upstream);
        link.carry(Tcp::new(client), async move { TcpStream::connect(upstream).await.map(Tcp::new) });
    }
}

#[cfg(test)]
mod tests;

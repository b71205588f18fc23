//! A link between TCP sockets: a listener of the instance's own in front of Redis, or of whatever stands before it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::port::{Filler, Port};
use super::{Link, Tcp, locked};
use crate::fault::Act;
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
    /// Whether connections through this port are counted.
    counts: bool,
    accepting: tokio::sync::Mutex<Accepting>,
}

/// Who accepts, if anybody does; dropping it closes the listener.
#[derive(Debug, Default)]
struct Accepting {
    listener: Option<Arc<TcpListener>>,
    /// None while the port is closed or jammed.
    task: Option<JoinHandle<()>>,
    /// How many strikes jam the port, and what does.
    jams: u32,
    fillers: Vec<Filler>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and carries every connection to `upstream`. `seed` is the run's.
    pub async fn listen(
        instance: u16,
        seed: u64,
        upstream: SocketAddr,
        recorder: Recorder,
    ) -> io::Result<Self> {
        Self::of(Link::new(instance, seed, recorder), upstream).await
    }

    /// Listens on a free port of 127.0.0.1 and carries every connection by `link` to `upstream`.
    pub async fn of(link: Link, upstream: SocketAddr) -> io::Result<Self> {
        Self::over(Arc::new(link), upstream, true).await
    }

    /// Another port of the same link, in front of another server: both have its strikes, and one wire log. Who opens connections
    /// only to ask where to go does so through a port that does not count.
    pub async fn beside(&self, upstream: SocketAddr, counts: bool) -> io::Result<Self> {
        Self::over(Arc::clone(&self.link), upstream, counts).await
    }

    async fn over(link: Arc<Link>, upstream: SocketAddr, counts: bool) -> io::Result<Self> {
        let (upstream, port) = (Arc::new(Mutex::new(upstream)), Port::reserve()?);
        let proxy = Self { link, upstream, port, counts, accepting: tokio::sync::Mutex::default() };
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

    /// Begins a strike that bends the link, cuts it or resets its connections.
    ///
    /// # Errors
    ///
    /// When the port cannot be jammed.
    pub async fn begin(&self, number: u32, strike: &Strike) -> io::Result<()> {
        self.link.begin(number, strike).await;
        self.begin_here(strike).await
    }

    /// What a strike does to this port, where another one [`beside`](Self::beside) it has begun it.
    ///
    /// # Errors
    ///
    /// When the port cannot be jammed.
    pub async fn begin_here(&self, strike: &Strike) -> io::Result<()> {
        if strike.act == Act::Unreachable { self.jam().await } else { Ok(()) }
    }

    /// Ends a strike that bends the link, cuts it or resets its connections.
    ///
    /// # Errors
    ///
    /// When the port cannot be cleared.
    pub async fn end(&self, number: u32, strike: &Strike) -> io::Result<()> {
        self.link.end(number, strike).await;
        self.end_here(strike).await
    }

    /// Takes [`begin_here`](Self::begin_here) back.
    ///
    /// # Errors
    ///
    /// When the port cannot be cleared.
    pub async fn end_here(&self, strike: &Strike) -> io::Result<()> {
        if strike.act == Act::Unreachable { self.clear().await } else { Ok(()) }
    }

    /// Has attempts to connect hang from now on.
    async fn jam(&self) -> io::Result<()> {
        let mut accepting = self.accepting.lock().await;
        accepting.jams += 1;
        if accepting.jams > 1 {
            return Ok(());
        }
        accepting.pause().await;
        self.fill(&mut accepting)
    }

    fn fill(&self, accepting: &mut Accepting) -> io::Result<()> {
        if let Some(listener) = &accepting.listener {
            accepting.fillers = self.port.jam(listener)?;
        }
        Ok(())
    }

    /// Takes one [`jam`](Self::jam) back.
    async fn clear(&self) -> io::Result<()> {
        let mut accepting = self.accepting.lock().await;
        accepting.jams = accepting.jams.saturating_sub(1);
        if accepting.jams == 0 { self.go_on(&mut accepting) } else { Ok(()) }
    }

    /// Accepts, if the port is open.
    fn go_on(&self, accepting: &mut Accepting) -> io::Result<()> {
        let Some(listener) = accepting.listener.clone() else { return Ok(()) };
        let fillers = self.port.clear(&listener, std::mem::take(&mut accepting.fillers))?;
        let (link, upstream) = (Arc::clone(&self.link), Arc::clone(&self.upstream));
        accepting.task = Some(tokio::spawn(accept(listener, (link, self.counts), upstream, fillers)));
        Ok(())
    }

    /// Accepts nobody until [`resume`](Self::resume): attempts to connect are kept waiting.
    pub async fn pause(&self) {
        self.accepting.lock().await.pause().await;
    }

    /// Accepts again, those first who were kept waiting.
    ///
    /// # Errors
    ///
    /// When the port cannot be cleared.
    pub async fn resume(&self) -> io::Result<()> {
        let mut accepting = self.accepting.lock().await;
        if accepting.task.is_none() && accepting.jams == 0 { self.go_on(&mut accepting) } else { Ok(()) }
    }

    /// Closes the listener: new connections are refused, live ones go on.
    pub async fn deafen(&self) {
        let mut accepting = self.accepting.lock().await;
        accepting.pause().await;
        accepting.listener = None;
        accepting.fillers.clear();
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
        if accepting.listener.is_some() {
            return Ok(());
        }
        accepting.listener = Some(Arc::new(self.port.listen()?));
        if accepting.jams == 0 { self.go_on(&mut accepting) } else { self.fill(&mut accepting) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The task that accepts holds the link as well, and ends only when it is next looked after.
        drop(std::mem::take(&mut *locked(&self.link.live)));
    }
}

impl Accepting {
    /// Ends the task. It ends as cancelled; only then does surely nobody accept.
    async fn pause(&mut self) {
        if let Some(task) = &mut self.task {
            task.abort();
            let _cancelled = task.await;
            self.task = None;
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn accept(
    listener: Arc<TcpListener>,
    (link, counts): (Arc<Link>, bool),
    upstream: Arc<Mutex<SocketAddr>>,
    mut fillers: Vec<Filler>,
) {
    loop {
        let Ok((client, from)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        if let Some(filler) = fillers.iter().position(|filler| filler.is_from(from)) {
            fillers.swap_remove(filler);
            continue;
        }
        let upstream = *locked(&upstream);
        let open = async move { TcpStream::connect(upstream).await.map(Tcp::new) };
        link.carry_as(Tcp::new(client), open, counts);
    }
}

#[cfg(test)]
mod tests;

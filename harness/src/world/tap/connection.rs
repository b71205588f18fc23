//! One connection through the tap.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::Shared;
use super::wire::{Reader, readers};
use crate::history::{Event, Wire};

const CHUNK: usize = 16 * 1024;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
enum Side {
    Subject,
    Redis,
}

/// Why bytes cannot go on: this side reset the connection.
struct ResetBy(Side);

/// A live connection. However it comes to an end, its end is recorded, and unless both sides ended it in order, both are reset.
struct Link {
    shared: Arc<Shared>,
    number: u32,
    client: TcpStream,
    upstream: Option<TcpStream>,
    /// Until the subject has ended it, whether or not Redis has noticed.
    open: Option<Open>,
    closed: Option<&'static str>,
    in_order: bool,
}

/// One of the connections that the subject has open.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Takes a connection of the subject and passes it on until it ends.
pub(super) fn run(client: TcpStream, shared: Arc<Shared>) -> impl Future<Output = ()> + Send {
    // The connection is counted and recorded now, not when its task first runs.
    let link = Link::open(client, shared);
    link.run()
}

impl Link {
    fn open(client: TcpStream, shared: Arc<Shared>) -> Self {
        let number = shared.opened.fetch_add(1, Ordering::SeqCst);
        let open = Some(Open::new(&shared));
        let link = Self { shared, number, client, upstream: None, open, closed: None, in_order: false };
        link.record(Wire::Opened);
        link
    }

    async fn run(mut self) {
        match connect(self.shared.upstream()).await {
            Ok(upstream) => self.upstream = Some(upstream),
            Err(error) => {
                let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                self.closed = Some(if refused { "redis: refused" } else { "redis: reset" });
                return;
            }
        }
        match self.pass_on().await {
            Ok(by) => {
                self.in_order = true;
                self.closed = Some(match by {
                    Side::Subject => "subject: end",
                    Side::Redis => "redis: end",
                });
            }
            Err(ResetBy(Side::Subject)) => self.closed = Some("subject: reset"),
            Err(ResetBy(Side::Redis)) => self.closed = Some("redis: reset"),
        }
    }

    /// Passes bytes on both ways until both have ended, or one is reset. Tells who ended first.
    async fn pass_on(&mut self) -> Result<Side, ResetBy> {
        // A client without this would meet delays that it does not meet without the tap.
        let _ = self.client.set_nodelay(true);
        let record = recording(Arc::clone(&self.shared), self.number);
        let Some(upstream) = &mut self.upstream else { return Err(ResetBy(Side::Redis)) };
        let ((from_subject, to_subject), (from_redis, to_redis)) = (self.client.split(), upstream.split());
        let (commands, replies) = readers();
        let mut up = pin!(pump(from_subject, to_redis, commands, Side::Subject, &record));
        let mut down = pin!(pump(from_redis, to_subject, replies, Side::Redis, &record));
        tokio::select! {
            biased;
            ended = &mut up => { ended?; self.open.take(); down.await?; Ok(Side::Subject) }
            ended = &mut down => { ended?; up.await?; Ok(Side::Redis) }
        }
    }

    fn record(&self, what: Wire) {
        recording(Arc::clone(&self.shared), self.number)(what);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.in_order {
            // With zero linger, closing sends a reset.
            let _ = self.client.set_zero_linger();
            let _ = self.upstream.as_ref().map(TcpStream::set_zero_linger);
        }
        self.open.take();
        self.record(Wire::Closed { by: self.closed.unwrap_or("world: reset").to_owned() });
    }
}

fn recording(shared: Arc<Shared>, connection: u32) -> impl Fn(Wire) + Send + Sync {
    move |what| shared.recorder.record(Event::Wire { instance: shared.instance, connection, what })
}

async fn connect(upstream: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Passes bytes on one way until their source ends, and then ends their target.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut reader: Reader,
    source: Side,
    record: &(impl Fn(Wire) + Sync),
) -> Result<(), ResetBy> {
    let target = match source {
        Side::Subject => Side::Redis,
        Side::Redis => Side::Subject,
    };
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = from.read(&mut buffer).await.map_err(|_| ResetBy(source))?;
        if count == 0 {
            return to.shutdown().await.map_err(|_| ResetBy(target));
        }
        // Recorded before it goes on, so that a command always stands before its reply, and a reply before what it causes.
        reader.read(&buffer[..count], record);
        tokio::select! {
            biased;
            written = to.write_all(&buffer[..count]) => written.map_err(|_| ResetBy(target))?,
            // Without this a reset would go unnoticed while the target takes nothing.
            _ = from.ready(Interest::ERROR) => return Err(ResetBy(source)),
        }
    }
}

//! The seam between the client and the network: something that opens byte streams.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use crate::address::Host;
use crate::error::CallError;
use crate::settings::KeepaliveSettings;

/// A byte stream in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A stream of whatever kind.
pub type BoxStream = Pin<Box<dyn Stream>>;

/// A stream that is being opened.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<BoxStream>> + Send + 'a>>;

/// A stream that is being opened, and the server that it leads to, where another may take its place while clients run.
pub type Leading<'a> = Pin<Box<dyn Future<Output = io::Result<(BoxStream, Option<Host>)>> + Send + 'a>>;

/// An answer that is being waited for.
pub type Answering<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// How many of those who know where Redis is are asked, as long as they say what was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// One, each in its turn.
    One,
    /// All.
    All,
}

/// Opens streams to one Redis.
pub trait Connect: Send + Sync {
    /// Opens a stream. The caller bounds how long that may take, and may drop it.
    fn connect(&self) -> Connecting<'_>;

    /// The same, told how long the caller waits. What asks others before it knows where to connect shares that time out.
    fn connect_within(&self, limit: Duration) -> Connecting<'_> {
        let _ = limit;
        self.connect()
    }

    /// The same, for a client whose keys all begin with `prefix`: where nodes share the keys, to the one that holds them.
    fn connect_for<'a>(&'a self, prefix: &'a str, limit: Duration) -> Leading<'a> {
        let _ = prefix;
        Box::pin(async move { Ok((self.connect_within(limit).await?, None)) })
    }

    /// Whether another server has surely taken the place of this one, to which an open stream leads. It is asked of those who
    /// know, for `limit` at most; where nobody answers, none has.
    fn replaced<'a>(&'a self, server: &'a Host, asking: Asking, limit: Duration) -> Answering<'a> {
        let _ = (server, asking, limit);
        Box::pin(std::future::ready(false))
    }

    /// Whether nodes share the keys. All keys of a client must then lie in one slot, and a connection to a node that says it
    /// does not hold them is left for another.
    fn is_cluster(&self) -> bool {
        false
    }

    /// What is said of a stream that did not open in time.
    fn stalled(&self) -> &'static str {
        "timed out"
    }

    /// What is said of a stream that ended before Redis had answered anything on it.
    fn hung_up(&self) -> &'static str {
        "the connection ended"
    }
}

/// Opens TCP streams, without Nagle's delay and with keepalive. The name is looked up for every stream.
#[derive(Clone, Debug)]
pub struct Tcp {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Keepalive.
    pub keepalive: KeepaliveSettings,
}

/// What is said of a name that cannot be looked up: the system's own error has no kind that tells it.
const NO_ADDRESS: &str = "no address is known for the name of a host, so check that name, and the resolver";

impl Tcp {
    /// Opens a socket.
    pub(crate) async fn stream(&self) -> io::Result<TcpStream> {
        let found = lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<_> = found.map(Iterator::collect).unwrap_or_default();
        if addresses.is_empty() {
            return Err(io::Error::other(CallError::Connect(NO_ADDRESS.to_owned())));
        }
        let stream = TcpStream::connect(&addresses[..]).await?;
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new()
            .with_time(self.keepalive.idle)
            .with_interval(self.keepalive.interval)
            .with_retries(self.keepalive.probes);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(stream)
    }
}

impl Connect for Tcp {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async { Ok(Box::pin(self.stream().await?) as BoxStream) })
    }

    fn hung_up(&self) -> &'static str {
        "the connection ended; a port that speaks TLS needs rediss:// instead of redis://"
    }
}

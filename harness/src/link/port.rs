//! A port that is ours whether or not anybody listens on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpListener;

/// As many connections may wait to be accepted as Redis allows.
const BACKLOG: i32 = 511;

/// How many connections of our own are opened to a port that is to be jammed.
const FILLERS: usize = 4;

/// A port of 127.0.0.1, held by a socket that is bound and never listens. While nothing else listens, connecting is refused,
/// and no other program can be given the port.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    _held: Socket,
}

impl Port {
    /// Takes a free port.
    pub(super) fn reserve() -> io::Result<Self> {
        let held = bound((Ipv4Addr::LOCALHOST, 0).into())?;
        let address =
            held.local_addr()?.as_socket().ok_or_else(|| io::Error::other("the port has no address"))?;
        Ok(Self { address, _held: held })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens on the port, beside the socket that holds it.
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        let socket = bound(self.address)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket.into())
    }

    /// Makes every attempt to connect hang, for as long as nobody accepts: no more than one connection may wait to be accepted,
    /// and the fillers do. What the system is sent to open another it ignores, as if it were lost on the way, and whoever
    /// sent it tries again and again.
    pub(super) fn jam(&self, listener: &TcpListener) -> io::Result<Vec<Filler>> {
        SockRef::from(listener).listen(0)?;
        // One is enough. The others are there should it be one of the subject's that waits to be accepted, and goes away.
        (0..FILLERS).map(|_| Filler::connect(self.address)).collect()
    }

    /// Lets connections be opened again. Returns the fillers that are still to be accepted.
    pub(super) fn clear(&self, listener: &TcpListener, mut fillers: Vec<Filler>) -> io::Result<Vec<Filler>> {
        fillers.retain(Filler::is_open);
        SockRef::from(listener).listen(BACKLOG)?;
        Ok(fillers)
    }
}

/// A connection of our own, which takes a place among those that wait to be accepted.
#[derive(Debug)]
pub(super) struct Filler {
    socket: Socket,
    address: SocketAddr,
}

impl Filler {
    fn connect(port: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket();
        let address = address.ok_or_else(|| io::Error::other("a connection has no address"))?;
        match socket.connect(&port.into()) {
            Err(error) if !is_under_way(&error) => Err(error),
            Ok(()) | Err(_) => Ok(Self { socket, address }),
        }
    }

    /// Whether it is the other end of a connection from there.
    pub(super) fn is_from(&self, address: SocketAddr) -> bool {
        self.address == address
    }

    fn is_open(&self) -> bool {
        self.socket.peer_addr().is_ok()
    }
}

fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Only with this option on each may several sockets have one port; SO_REUSEADDR would let other programs in as well.
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

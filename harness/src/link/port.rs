//! A port that is ours whether or not anybody listens on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// As many connections may wait to be accepted as Redis allows.
const BACKLOG: i32 = 511;

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
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Only with this option on each may several sockets have one port; SO_REUSEADDR would let other programs in as well.
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

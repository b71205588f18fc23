//! A port that stays ours while nobody listens on it, so that connecting to it is truly refused.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};

use socket2::{Domain, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A reserved port on the loopback address.
pub(super) struct Port {
    number: u16,
    /// Bound, never listening: it keeps others away from the port and refuses whoever connects.
    _reserved: Socket,
}

impl Port {
    /// Reserves a free port.
    pub(super) fn reserve() -> io::Result<Self> {
        let reserved = bound(0)?;
        let address = reserved.local_addr()?;
        let number = address.as_socket().map_or(0, |address| address.port());
        Ok(Self { number, _reserved: reserved })
    }

    /// Its number.
    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// Listens on it.
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        let socket = bound(self.number)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

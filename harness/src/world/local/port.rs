//! A port that stays the server's while the server is down.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1. On Linux a socket that never listens holds it, which servers, all of which allow an address to be used
/// again, do not mind; elsewhere nobody holds it.
pub(super) struct Port {
    address: SocketAddr,
    _held: Option<Socket>,
}

impl Port {
    /// Takes a free port.
    pub(super) fn take() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket();
        let address = address.ok_or_else(|| io::Error::other("the port has no address"))?;
        Ok(Self { address, _held: cfg!(target_os = "linux").then_some(socket) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

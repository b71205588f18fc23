//! Where new connections go while a strike resets them: at its first byte a share of them is reset, the others are passed on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Resets new connections. Dropped, it resets those that it passed on.
pub(super) struct Resets {
    address: SocketAddr,
    share: Arc<Mutex<f64>>,
    accepting: JoinHandle<()>,
}

impl Resets {
    /// Listens on a free port.
    pub(super) async fn listen(server: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, share) = (listener.local_addr()?, Arc::new(Mutex::new(0.0)));
        let accepting = tokio::spawn(accept(listener, server, Arc::clone(&share), seed));
        Ok(Self { address, share, accepting })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Which share of the connections is reset, from 0 to 1.
    pub(super) fn set_share(&self, share: f64) {
        *self.share.lock().unwrap_or_else(PoisonError::into_inner) = share.clamp(0.0, 1.0);
    }
}

impl Drop for Resets {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, share: Arc<Mutex<f64>>, seed: u64) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut passed = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let share = *share.lock().unwrap_or_else(PoisonError::into_inner);
        let struck = chance.random_bool(share);
        passed.spawn(pass(client, (!struck).then_some(server)));
        while passed.try_join_next().is_some() {}
    }
}

async fn pass(mut client: TcpStream, server: Option<SocketAddr>) {
    let passed = match server {
        Some(server) => on(&mut client, server).await,
        None => client.peek(&mut [0]).await.and(Err(io::ErrorKind::ConnectionReset.into())),
    };
    if passed.is_err() {
        let _ = client.set_zero_linger();
    }
}

async fn on(client: &mut TcpStream, server: SocketAddr) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let passed = tokio::io::copy_bidirectional(client, &mut server).await;
    if passed.is_err() {
        server.set_zero_linger()?;
    }
    passed.map(drop)
}

//! One instance's way to the server: a fault proxy, and how many strikes refuse just now.

use std::net::SocketAddr;

use tokio::sync::Mutex;

use crate::fault::Act;
use crate::link::{self, Proxy};
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::world::authority::Authority;
use crate::world::{WorldError, failed};

pub(super) struct Link {
    proxy: Proxy,
    refusals: Mutex<u32>,
}

impl Link {
    pub(super) async fn start(
        number: u16,
        seed: u64,
        server: SocketAddr,
        recorder: Recorder,
        tls: Option<&Authority>,
    ) -> Result<Self, WorldError> {
        let link = link::Link::over(tls.map(Authority::config), number, seed, recorder);
        let proxy = Proxy::of(link, server).await;
        Ok(Self { proxy: proxy.map_err(failed("open a fault proxy"))?, refusals: Mutex::default() })
    }

    /// Another way of the same instance, to another server; its connections are counted or not.
    pub(super) async fn beside(&self, server: SocketAddr, counts: bool) -> Result<Self, WorldError> {
        let proxy = self.proxy.beside(server, counts).await;
        Ok(Self { proxy: proxy.map_err(failed("open a fault proxy"))?, refusals: Mutex::default() })
    }

    pub(super) fn port(&self) -> u16 {
        self.proxy.address().port()
    }

    pub(super) fn connections(&self) -> u64 {
        self.proxy.connections()
    }

    /// Ends its service.
    pub(super) async fn close(&self) {
        self.proxy.refuse().await;
    }

    /// A strike on this link begins.
    pub(super) async fn begin(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        if strike.act == Act::Refuse {
            self.deafen().await;
            self.reset().await;
            return Ok(());
        }
        self.proxy.begin(number, strike).await.map_err(failed("begin a fault"))
    }

    /// What a strike does to this way that has begun on another one of the instance.
    pub(super) async fn begin_here(&self, strike: &Strike) -> Result<(), WorldError> {
        if strike.act == Act::Refuse {
            self.deafen().await;
            self.reset().await;
            return Ok(());
        }
        self.proxy.begin_here(strike).await.map_err(failed("begin a fault"))
    }

    /// What it does when it ends.
    pub(super) async fn end_here(&self, strike: &Strike) -> Result<(), WorldError> {
        if strike.act == Act::Refuse {
            return self.accept().await;
        }
        self.proxy.end_here(strike).await.map_err(failed("end a fault"))
    }

    /// A strike on this link ends.
    pub(super) async fn end(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        if strike.act == Act::Refuse {
            return self.accept().await;
        }
        self.proxy.end(number, strike).await.map_err(failed("end a fault"))
    }

    /// Refuses new connections; live ones go on.
    pub(super) async fn deafen(&self) {
        *self.refusals.lock().await += 1;
        self.proxy.deafen().await;
    }

    /// Resets live connections.
    pub(super) async fn reset(&self) {
        self.proxy.reset().await;
    }

    /// Takes one [`deafen`](Self::deafen) back.
    pub(super) async fn accept(&self) -> Result<(), WorldError> {
        let mut refusals = self.refusals.lock().await;
        *refusals = refusals.saturating_sub(1);
        if *refusals > 0 {
            return Ok(());
        }
        self.proxy.accept().await.map_err(failed("open the fault proxy again"))
    }
}

//! One instance's ways to several servers: a fault proxy before each. They share their strikes and one wire log.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use squall_client::settings::KeepaliveSettings;
use squall_client::{ConnectTo, connect_to};

use super::link::Link;
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::world::{WorldError, failed};

pub(super) struct Ways {
    /// The servers' first, then those of whoever only says where servers are.
    links: Vec<Link>,
    /// The port of each way, by that of the server it leads to.
    ports: Arc<BTreeMap<u16, u16>>,
}

impl Ways {
    /// Of that instance. Only connections to the servers themselves are counted, not those to the guides.
    pub(super) async fn start(
        number: u16,
        seed: u64,
        servers: &[SocketAddr],
        guides: &[SocketAddr],
        recorder: Recorder,
    ) -> Result<Self, WorldError> {
        let Some((first, others)) = servers.split_first() else {
            return Err(failed("open a fault proxy")("there is no server"));
        };
        let mut links = vec![Link::start(number, seed, *first, recorder, None).await?];
        let others = others.iter().map(|server| (server, true));
        for (server, counts) in others.chain(guides.iter().map(|guide| (guide, false))) {
            let link = links[0].beside(*server, counts).await?;
            links.push(link);
        }
        let targets = servers.iter().chain(guides).map(SocketAddr::port);
        let ports = targets.zip(&links).map(|(target, link)| (target, link.port())).collect();
        Ok(Self { links, ports: Arc::new(ports) })
    }

    /// Opens streams by these ways, whichever address a server is named by.
    pub(super) fn connect_to(&self) -> Arc<ConnectTo> {
        let (ports, tcp) = (Arc::clone(&self.ports), connect_to::tcp(&KeepaliveSettings::default()));
        Arc::new(move |_, port| {
            let nowhere = || io::Error::new(io::ErrorKind::ConnectionRefused, "there is no such server");
            tcp("127.0.0.1", *ports.get(&port).ok_or_else(nowhere)?)
        })
    }

    /// How many connections the instance has open to servers.
    pub(super) fn connections(&self) -> u64 {
        self.links.first().map_or(0, Link::connections)
    }

    /// A strike on this instance begins.
    pub(super) async fn begin(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        for (place, link) in self.links.iter().enumerate() {
            if place == 0 { link.begin(number, strike).await } else { link.begin_here(strike).await }?;
        }
        Ok(())
    }

    /// A strike on this instance ends.
    pub(super) async fn end(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        for (place, link) in self.links.iter().enumerate() {
            if place == 0 { link.end(number, strike).await } else { link.end_here(strike).await }?;
        }
        Ok(())
    }

    /// Nobody listens before the server of this number any more; live connections go on.
    pub(super) async fn deafen(&self, server: usize) {
        if let Some(link) = self.links.get(server) {
            link.deafen().await;
        }
    }

    /// Takes one [`deafen`](Self::deafen) back.
    pub(super) async fn accept(&self, server: usize) -> Result<(), WorldError> {
        match self.links.get(server) {
            Some(link) => link.accept().await,
            None => Ok(()),
        }
    }

    /// Ends its service.
    pub(super) async fn close(&self) {
        for link in &self.links {
            link.close().await;
        }
    }
}

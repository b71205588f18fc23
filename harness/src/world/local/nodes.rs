//! The local world with several servers that belong together, each a process of its own.
//!
//! ```text
//! instance -> fault proxies (one a server, all of one link) -> primaries, replicas, sentinels
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

use super::group::Group;
use super::own::Own;
use super::ways::Ways;
use super::{Redis, folder, program};
use crate::fault::{Act, ServerAct};
use crate::history::Left;
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::scenario::Topology;
use crate::subject::{BoxFuture, Route};
use crate::world::{Login, World, WorldError, failed, quiet};

/// The world, up. Dropped without being closed it still leaves nothing.
pub struct Nodes {
    // Before the servers, as in the world with one.
    ways: Vec<Ways>,
    group: Group,
    /// The server that a strike has struck, by the strike's number.
    struck: Mutex<BTreeMap<u32, usize>>,
    login: Login,
    notes: Vec<String>,
}

impl Nodes {
    /// Starts everything that a run with such servers and so many instances needs. `status` is told what takes long.
    ///
    /// # Errors
    ///
    /// [`WorldError::Missing`] without a server's program, [`WorldError::Failed`] when something else goes wrong.
    pub async fn start(
        redis: &Redis,
        topology: Topology,
        instances: u16,
        seed: u64,
        recorder: &Recorder,
        login: Login,
        status: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Self, WorldError> {
        let Redis::Own { program } = redis else { return Err(failed("start the servers")(super::NO_NODES)) };
        folder::sweep_dead();
        status("starting the servers".to_owned());
        let group = Group::start(topology, &program::find(program.as_deref())?, &login).await?;
        let addresses = |all: &[Own]| all.iter().map(Own::address).collect::<Vec<SocketAddr>>();
        let (servers, guides) = (addresses(group.servers()), addresses(group.guides()));
        let mut ways = Vec::new();
        // One more than the instances: the fresh reader of the end has ways of its own.
        for number in 0..=instances {
            ways.push(Ways::start(number, seed, &servers, &guides, recorder.clone()).await?);
        }
        let route = "route: Squall's own fault proxies, one a server and an instance, in this process; refusals and resets are true";
        let server = group.servers()[0].note().await;
        let notes =
            [server, group.note()].into_iter().chain(login.note()).chain([route.to_owned()]).collect();
        Ok(Self { ways, group, struck: Mutex::default(), login, notes })
    }

    /// Waits until the servers answer at once for a while.
    pub async fn settle(&self) {
        for server in self.group.servers() {
            if let Ok(mut stream) = TcpStream::connect(server.address()).await {
                quiet::wait(&mut stream).await;
            }
        }
    }

    /// The numbers of the processes that run, and the folders of all.
    pub fn traces(&self) -> (Vec<i32>, Vec<PathBuf>) {
        let processes = self.all().filter_map(Own::process_id).collect();
        (processes, self.all().map(|one| one.folder().to_path_buf()).collect())
    }

    fn all(&self) -> impl Iterator<Item = &Own> {
        self.group.servers().iter().chain(self.group.guides())
    }

    /// The ways that a strike bends; the fresh reader's never.
    fn bent<'a>(&'a self, strike: &'a Strike) -> impl Iterator<Item = &'a Ways> {
        strike.bent(&self.ways[..self.ways.len() - 1])
    }

    async fn begin_strike(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        let Act::Server(act) = strike.act else {
            for ways in self.bent(strike) {
                ways.begin(number, strike).await?;
            }
            return Ok(());
        };
        let place = self.group.primary().await?;
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).insert(number, place);
        let server = &self.group.servers()[place];
        let lasts = Duration::from_nanos(strike.to.saturating_sub(strike.from));
        match act {
            ServerAct::Pause => server.pause().await,
            ServerAct::Kill => {
                for ways in &self.ways {
                    ways.deafen(place).await;
                }
                // Those that were connected see it end.
                server.kill().await
            }
            ServerAct::KillClients | ServerAct::Flush => {
                // A server that became primary has ended its connections.
                server.side().forget().await;
                server.orders().begin(server.side(), act, lasts).await
            }
            other => Err(failed("strike a server")(format!("{other:?} cannot strike one of several"))),
        }
    }

    async fn end_strike(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        let Act::Server(act) = strike.act else {
            for ways in self.bent(strike) {
                ways.end(number, strike).await?;
            }
            return Ok(());
        };
        let place = self.struck.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        let Some(place) = place else { return Ok(()) };
        let server = &self.group.servers()[place];
        match act {
            ServerAct::Pause => server.resume().await,
            ServerAct::Kill => {
                self.group.prepare(place).await?;
                server.start_again().await?;
                for ways in &self.ways {
                    ways.accept(place).await?;
                }
                Ok(())
            }
            other => server.orders().end(server.side(), other).await,
        }
    }

    /// Returns when any of them has died by itself.
    async fn died(&self) -> WorldError {
        let mut all: Vec<BoxFuture<'_, WorldError>> =
            self.all().map(|one| Box::pin(one.died()) as BoxFuture<'_, WorldError>).collect();
        std::future::poll_fn(|context| {
            let ready = all.iter_mut().find_map(|one| match Pin::new(one).poll(context) {
                Poll::Ready(error) => Some(error),
                Poll::Pending => None,
            });
            ready.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    async fn close_all(&self) -> Result<(), WorldError> {
        for ways in &self.ways {
            ways.close().await;
        }
        let mut outcome = Ok(());
        for one in self.all() {
            outcome = outcome.and(one.close().await);
        }
        outcome
    }
}

impl World for Nodes {
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn route(&self, instance: u16) -> Route {
        let ways = &self.ways[usize::from(instance).min(self.ways.len() - 1)];
        self.group.route(ways.connect_to(), &self.login)
    }

    fn connections(&self, instance: u16) -> u64 {
        self.ways.get(usize::from(instance)).map_or(0, Ways::connections)
    }

    fn begin<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(self.begin_strike(number, strike))
    }

    fn end<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(self.end_strike(number, strike))
    }

    fn look<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Left>, WorldError>> {
        Box::pin(self.group.look(key))
    }

    fn content<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, WorldError>> {
        Box::pin(self.group.content(key))
    }

    fn failed(&self) -> BoxFuture<'_, WorldError> {
        Box::pin(self.died())
    }

    fn close(&self) -> BoxFuture<'_, Result<(), WorldError>> {
        Box::pin(self.close_all())
    }
}

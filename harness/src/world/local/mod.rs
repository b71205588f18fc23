//! The local world: a real Redis or Valkey process of this machine behind Squall's own fault proxy.
//!
//! ```text
//! instance -> fault proxy (one an instance, in this process) -> redis-server
//! ```

mod cluster;
mod folder;
mod given;
mod group;
mod link;
mod living;
mod nodes;
mod own;
mod port;
mod process;
mod program;
mod role;
mod sentinel;
mod server;
mod url;
mod wait;
mod ways;

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;

use super::authority::{self, Authority};
use super::{Login, World, WorldError, content, quiet};
use crate::fault::{Act, ServerAct};
use crate::history::Left;
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::subject::{BoxFuture, Route};
use link::Link;
use server::Server;

pub(crate) use folder::{Folder, sweep_dead};
pub use nodes::Nodes;
pub use url::{RedisUrl, UrlError};

/// Why a server of somebody else's cannot be several.
const NO_NODES: &str =
    "--redis-url names one server; without it as many are started as the scenario asks for";

/// Which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redis {
    /// One that is started for the run.
    Own {
        /// Its program, by name or path; a known one in `PATH` when absent.
        program: Option<String>,
    },
    /// One that somebody else runs. Nothing of it is touched but the run's own keys.
    Given {
        /// Where it is.
        url: RedisUrl,
        /// Whether faults may strike it that others would notice.
        destructive: bool,
    },
}

impl Redis {
    /// What the environment says: the server of `SQUALL_REDIS_URL`, else the program of `SQUALL_REDIS_SERVER`, else a known one.
    ///
    /// # Errors
    ///
    /// When `SQUALL_REDIS_URL` is no address of a server.
    pub fn of_environment(destructive: bool) -> Result<Self, UrlError> {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        match variable("SQUALL_REDIS_URL") {
            Some(url) => Ok(Self::Given { url: RedisUrl::parse(&url)?, destructive }),
            None => Ok(Self::Own { program: variable("SQUALL_REDIS_SERVER") }),
        }
    }

    /// Why this cannot be done to the server; `None` when it can.
    pub fn unsupported(&self, act: ServerAct) -> Option<String> {
        match self {
            Self::Own { .. } => None,
            Self::Given { .. } => Some(server::not_ours(act)),
        }
    }

    /// Why it cannot be what a scenario wants to log in to; `None` when it can.
    pub fn unsupported_login(&self, login: &Login) -> Option<String> {
        match self {
            Self::Own { .. } => None,
            Self::Given { .. } => login.note().map(|_| server::NO_LOGIN.to_owned()),
        }
    }

    /// Why there cannot be several servers; `None` when there can.
    pub fn unsupported_nodes(&self) -> Option<String> {
        match self {
            Self::Own { .. } => None,
            Self::Given { .. } => Some(NO_NODES.to_owned()),
        }
    }

    /// What is missing here for any run, if something is: the program.
    pub fn missing(&self) -> Option<WorldError> {
        match self {
            Self::Own { program } => program::find(program.as_deref()).err(),
            Self::Given { .. } => None,
        }
    }
}

/// Ends every server that this process has started, and removes every key that its runs left in servers of others. The last
/// thing to do: nothing starts after it.
pub async fn sweep() {
    living::sweep();
    given::sweep().await;
}

/// The world, up. Dropped without being closed it still leaves nothing.
pub struct Local {
    // Before the server, so that nobody writes any more when the run's keys are removed.
    links: Vec<Link>,
    server: Server,
    /// Whom instances trust, where they speak TLS.
    authority: Option<Authority>,
    notes: Vec<String>,
}

impl Local {
    /// Starts everything that a run with so many instances needs. `status` is told what takes long.
    ///
    /// # Errors
    ///
    /// [`WorldError::Missing`] without a server that answers, [`WorldError::Failed`] when something else goes wrong.
    pub async fn start(
        redis: &Redis,
        instances: u16,
        seed: u64,
        recorder: &Recorder,
        login: Login,
        status: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Self, WorldError> {
        sweep_dead();
        status("starting the server".to_owned());
        let server = Server::start(redis, login.clone()).await?;
        let authority = login.tls().then(Authority::make).transpose()?;
        let mut links = Vec::new();
        // One more than the instances: the fresh reader of the end has a link of its own.
        for number in 0..=instances {
            links.push(
                Link::start(number, seed, server.address(), recorder.clone(), authority.as_ref()).await?,
            );
        }
        let proxy = "route: Squall's own fault proxy, in this process; refusals and resets are true";
        let server_note = server.note().await;
        let tls = authority.as_ref().map(|_| authority::NOTE.to_owned());
        let notes =
            [server_note].into_iter().chain(login.note()).chain([proxy.to_owned()]).chain(tls).collect();
        Ok(Self { links, server, authority, notes })
    }

    /// Waits until the server answers at once for a while: other runs that are starting would be taken for faults.
    pub async fn settle(&self) {
        // Who cannot connect finds out soon enough.
        if let Ok(mut stream) = TcpStream::connect(self.server.address()).await {
            quiet::wait(&mut stream).await;
        }
    }

    /// What must stand before every key of the run, in a server of somebody else's.
    pub fn key_prefix(&self) -> Option<&str> {
        match &self.server {
            Server::Own(_) => None,
            Server::Given(given) => Some(given.prefix()),
        }
    }

    /// The number of the server's process, when it is ours and runs.
    pub fn process_id(&self) -> Option<i32> {
        match &self.server {
            Server::Own(own) => own.process_id(),
            Server::Given(_) => None,
        }
    }

    /// The folder of the server's data and log, when it is ours.
    pub fn folder(&self) -> Option<&Path> {
        match &self.server {
            Server::Own(own) => Some(own.folder()),
            Server::Given(_) => None,
        }
    }

    /// The links that a strike bends; the fresh reader's only where all of Redis is struck.
    fn struck<'a>(&'a self, strike: &'a Strike) -> impl Iterator<Item = &'a Link> {
        strike.bent(&self.links[..self.links.len() - 1])
    }

    async fn begin_strike(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        let Act::Server(act) = strike.act else {
            for link in self.struck(strike) {
                link.begin(number, strike).await?;
            }
            return Ok(());
        };
        let lasts = Duration::from_nanos(strike.to.saturating_sub(strike.from));
        if !act.ends_it() {
            return self.server.begin(act, lasts).await;
        }
        // Nobody can connect from then on, and those that were connected see it end.
        for link in &self.links {
            link.deafen().await;
        }
        self.server.begin(act, lasts).await?;
        for link in &self.links {
            link.reset().await;
        }
        Ok(())
    }

    async fn end_strike(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        let Act::Server(act) = strike.act else {
            for link in self.struck(strike) {
                link.end(number, strike).await?;
            }
            return Ok(());
        };
        self.server.end(act).await?;
        if act.ends_it() {
            for link in &self.links {
                link.accept().await?;
            }
        }
        Ok(())
    }

    async fn close_all(&self) -> Result<(), WorldError> {
        for link in &self.links {
            link.close().await;
        }
        self.server.close().await
    }
}

impl World for Local {
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn route(&self, instance: u16) -> Route {
        let port = self.links.get(usize::from(instance)).map_or(0, Link::port);
        let ca = self.authority.as_ref().map(Authority::file);
        Route::Tcp { host: "127.0.0.1".to_owned(), port, credentials: self.server.credentials(), ca }
    }

    fn connections(&self, instance: u16) -> u64 {
        self.links.get(usize::from(instance)).map_or(0, Link::connections)
    }

    fn begin<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(self.begin_strike(number, strike))
    }

    fn end<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(self.end_strike(number, strike))
    }

    fn look<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Left>, WorldError>> {
        Box::pin(self.server.side().look(key))
    }

    fn content<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, WorldError>> {
        Box::pin(content::of(self.server.side(), key))
    }

    fn failed(&self) -> BoxFuture<'_, WorldError> {
        Box::pin(self.server.died())
    }

    fn close(&self) -> BoxFuture<'_, Result<(), WorldError>> {
        Box::pin(self.close_all())
    }
}

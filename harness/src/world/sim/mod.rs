//! The sim world: an embedded Redis behind fault links in memory, all in virtual time.
//!
//! ```text
//! instance -> fault link (in memory) -> embedded server
//! ```
//!
//! It must live on a current-thread runtime whose clock is paused; then the same plan gives the same history, byte for byte.

mod connector;
mod script;
mod strikes;

use std::sync::Arc;

use squall_client::Clock;

use super::{Login, World, WorldError};
use crate::fault::{Act, ServerAct};
use crate::history::Left;
use crate::link::Link;
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::server::{Config, Server};
use crate::subject::{BoxFuture, Route};
use connector::Connector;
use script::Script;

/// What the wall clock shows when a run begins, in milliseconds since 1970: the same in every run.
pub const EPOCH_MS: u64 = 1_750_000_000_000;

/// The version that the embedded server speaks as.
const VERSION: &str = "7.0.15";

/// The world, up.
pub struct Sim {
    server: Server,
    login: Login,
    links: Vec<Arc<Link>>,
    clock: Clock,
    script: Script,
}

impl Sim {
    /// A world for so many instances and the fresh one of the final reads. `seed` is the run's.
    pub fn start(instances: u16, seed: u64, recorder: &Recorder, login: Login) -> Self {
        let clock = recorder.clock().clone();
        let told = clock.clone();
        let time = Arc::new(move || EPOCH_MS * 1000 + told.now().as_nanos() / 1000);
        let server = Server::new(Config::new(VERSION, seed, time));
        login.users().iter().for_each(|user| server.set_user(&user.user, &user.rules));
        let link = |number| Arc::new(Link::new(number, seed, recorder.clone()));
        let links = (0..=instances).map(link).collect();
        Self { server, login, links, clock, script: Script::default() }
    }

    /// The links that a strike bends; never the fresh reader's.
    fn struck(&self, strike: &Strike) -> impl Iterator<Item = &Arc<Link>> {
        let instances = self.links.len() - 1;
        let named = |number: usize| strike.instances.iter().any(|instance| usize::from(*instance) == number);
        let all = strike.instances.is_empty();
        let links = self.links.iter().enumerate().take(instances);
        links.filter(move |(number, _)| all || named(*number)).map(|(_, link)| link)
    }

    async fn begin_strike(&self, number: u32, strike: &Strike) {
        match &strike.act {
            Act::Bend(_)
            | Act::Reset { .. }
            | Act::Answer(_)
            | Act::SlowAccept { .. }
            | Act::HalfOpen
            | Act::Unreachable => {
                for link in self.struck(strike) {
                    link.begin(number, strike).await;
                }
            }
            Act::Refuse => {
                for link in self.struck(strike) {
                    link.deafen();
                    link.reset().await;
                }
            }
            Act::Server(act) if act.ends_it() => {
                self.while_shut(|server| strikes::begin(server, &self.login, *act)).await;
            }
            Act::Server(ServerAct::Script { busy_after }) => {
                self.script.begin(&self.server, *busy_after).await
            }
            Act::Server(act) => strikes::begin(&self.server, &self.login, *act),
            Act::Crash { .. } => {}
        }
    }

    async fn end_strike(&self, number: u32, strike: &Strike) {
        match &strike.act {
            Act::Bend(_)
            | Act::Reset { .. }
            | Act::Answer(_)
            | Act::SlowAccept { .. }
            | Act::HalfOpen
            | Act::Unreachable => {
                for link in self.struck(strike) {
                    link.end(number, strike).await;
                }
            }
            Act::Refuse => self.struck(strike).for_each(|link| link.hear()),
            Act::Server(ServerAct::Script { .. }) => self.script.end().await,
            Act::Server(act) => {
                strikes::end(&self.server, &self.login, *act);
                if act.ends_it() {
                    self.links.iter().for_each(|link| link.hear());
                }
            }
            Act::Crash { .. } => {}
        }
    }

    /// Ends the server: nobody can connect from then on, and those that were connected see it end.
    async fn while_shut(&self, end: impl FnOnce(&Server)) {
        self.links.iter().for_each(|link| link.deafen());
        end(&self.server);
        for link in &self.links {
            link.reset().await;
        }
    }
}

impl World for Sim {
    fn notes(&self) -> Vec<String> {
        let server = format!("server: embedded, speaks as redis {}", VERSION);
        let time = "time: virtual; the same seed gives the same bytes".to_owned();
        [server].into_iter().chain(self.login.note()).chain([time]).collect()
    }

    fn route(&self, instance: u16) -> Route {
        let link = self.links.get(usize::from(instance)).map(Arc::clone);
        let connect = Arc::new(Connector::new(link, self.server.clone(), self.clock.clone()));
        Route::Streams { connect, credentials: self.login.credentials() }
    }

    fn connections(&self, instance: u16) -> u64 {
        self.links.get(usize::from(instance)).map_or(0, |link| link.connections())
    }

    fn begin<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(async move {
            self.begin_strike(number, strike).await;
            Ok(())
        })
    }

    fn end<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(async move {
            self.end_strike(number, strike).await;
            Ok(())
        })
    }

    fn look<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Left>, WorldError>> {
        let left = self.server.look_in(self.login.database(), key.as_bytes());
        Box::pin(std::future::ready(Ok(left.map(|left| left.map_or(Left::Forever, Left::Millis)))))
    }

    fn content<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, WorldError>> {
        let content = self.server.content_in(self.login.database(), key.as_bytes());
        Box::pin(std::future::ready(Ok(content)))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), WorldError>> {
        Box::pin(async move {
            for link in &self.links {
                link.reset().await;
            }
            self.server.kill();
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;

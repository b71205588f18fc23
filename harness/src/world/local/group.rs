//! Servers that belong together, in one of the ways there are.

use std::sync::Arc;
use std::time::Duration;

use squall_client::ConnectTo;

use super::super::side::Side;
use super::super::{Login, WorldError, content, failed};
use super::cluster::Cluster;
use super::own::Own;
use super::program::Program;
use super::sentinel::{self, Sentinel};
use super::wait;
use crate::history::Left;
use crate::scenario::Topology;
use crate::subject::Route;

/// How long servers that are about to put another in the place of one are waited for.
const CHOOSE_WITHIN: Duration = Duration::from_secs(4);

pub(super) enum Group {
    Sentinel(Sentinel),
    Cluster(Cluster),
}

impl Group {
    /// Starts all of them, and returns when they know each other.
    pub(super) async fn start(
        topology: Topology,
        program: &Program,
        login: &Login,
    ) -> Result<Self, WorldError> {
        match topology {
            Topology::Standalone => Err(failed("start the servers")("one server is no group")),
            Topology::Sentinel => Ok(Self::Sentinel(Sentinel::start(program, login).await?)),
            Topology::Cluster => Ok(Self::Cluster(Cluster::start(program, login).await?)),
        }
    }

    /// For reports.
    pub(super) fn note(&self) -> String {
        match self {
            Self::Sentinel(_) => Sentinel::note(),
            Self::Cluster(_) => Cluster::note(),
        }
    }

    /// Those that hold sessions.
    pub(super) fn servers(&self) -> &[Own] {
        match self {
            Self::Sentinel(Sentinel { servers, .. }) | Self::Cluster(Cluster { servers, .. }) => servers,
        }
    }

    /// Those that only say where the others are.
    pub(super) fn guides(&self) -> &[Own] {
        match self {
            Self::Sentinel(group) => &group.sentinels,
            Self::Cluster(_) => &[],
        }
    }

    /// How an instance reaches them that opens streams so.
    pub(super) fn route(&self, connect_to: Arc<ConnectTo>, login: &Login) -> Route {
        let named = |one: &Own| (one.address().ip().to_string(), one.address().port());
        let credentials = login.credentials();
        match self {
            Self::Sentinel(group) => Route::Sentinel {
                sentinels: group.sentinels.iter().map(named).collect(),
                name: sentinel::NAME.to_owned(),
                connect_to,
                credentials,
            },
            Self::Cluster(group) => {
                Route::Cluster { seeds: group.seeds().iter().map(named).collect(), connect_to, credentials }
            }
        }
    }

    /// The number of the primary that a fault strikes now.
    pub(super) async fn primary(&self) -> Result<usize, WorldError> {
        match self {
            Self::Sentinel(group) => group.primary().await,
            Self::Cluster(group) => group.primary().await,
        }
    }

    /// Makes ready for the start of a server that was killed: waits until another has its place, and says what it is to be.
    pub(super) async fn prepare(&self, number: usize) -> Result<(), WorldError> {
        let chosen = wait::within(CHOOSE_WITHIN, || async { Ok(self.primary().await? != number) }).await;
        match self {
            Self::Sentinel(group) => group.prepare(number, chosen.is_ok()).await,
            // It remembers whom it knew, and learns from them what it is.
            Self::Cluster(_) => Ok(()),
        }
    }

    /// What lies under `key`.
    pub(super) async fn look(&self, key: &str) -> Result<Option<Left>, WorldError> {
        let side = self.side_of(key).await?;
        match side.look(key).await {
            // A server that becomes primary ends its connections.
            Err(_) => side.look(key).await,
            found => found,
        }
    }

    /// The bytes that lie under `key`.
    pub(super) async fn content(&self, key: &str) -> Result<Option<Vec<u8>>, WorldError> {
        content::of(self.side_of(key).await?, key).await
    }

    async fn side_of(&self, key: &str) -> Result<&Side, WorldError> {
        match self {
            Self::Sentinel(group) => Ok(group.servers[group.primary().await?].side()),
            Self::Cluster(group) => group.side_of(key).await,
        }
    }
}

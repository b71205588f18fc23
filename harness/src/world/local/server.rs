//! The server, ours or somebody else's.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::side::Side;
use super::super::{Login, WorldError, failed};
use super::given::Given;
use super::own::Own;
use super::{Redis, program};
use crate::fault::ServerAct;
use crate::subject::Credentials;

pub(super) enum Server {
    Own(Box<Own>),
    Given(Box<Given>),
}

impl Server {
    pub(super) async fn start(redis: &Redis, login: Login) -> Result<Self, WorldError> {
        match redis {
            Redis::Own { program } => {
                let own = Own::start(program::find(program.as_deref())?, login).await?;
                Ok(Self::Own(Box::new(own)))
            }
            Redis::Given { .. } if login.note().is_some() => Err(failed("start the server")(NO_LOGIN)),
            Redis::Given { url, .. } => {
                let given = Given::start(url.clone()).await?;
                Ok(Self::Given(Box::new(given)))
            }
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Own(own) => own.address(),
            Self::Given(given) => given.address(),
        }
    }

    pub(super) fn side(&self) -> &Side {
        match self {
            Self::Own(own) => own.side(),
            Self::Given(given) => given.side(),
        }
    }

    /// As whom instances speak to it.
    pub(super) fn credentials(&self) -> Credentials {
        match self {
            Self::Own(own) => own.orders().login().credentials(),
            Self::Given(given) => given.credentials().clone(),
        }
    }

    /// For reports.
    pub(super) async fn note(&self) -> String {
        match self {
            Self::Own(own) => own.note().await,
            Self::Given(given) => given.note().await,
        }
    }

    /// Begins what strikes the server itself. When that ends it, nobody may be able to connect from before until it is back.
    pub(super) async fn begin(&self, act: ServerAct, lasts: Duration) -> Result<(), WorldError> {
        let own = self.ours(act)?;
        match act {
            ServerAct::Pause => own.pause().await,
            ServerAct::Kill => own.kill().await,
            ServerAct::Restart { keep_data } => own.stop(keep_data).await,
            ServerAct::KillClients
            | ServerAct::Flush
            | ServerAct::Evict { .. }
            | ServerAct::MaxClients { .. }
            | ServerAct::Script { .. }
            | ServerAct::ClockJump { .. }
            | ServerAct::PasswordChange
            | ServerAct::Demote => own.orders().begin(own.side(), act, lasts).await,
        }
    }

    /// Ends what strikes the server itself.
    pub(super) async fn end(&self, act: ServerAct) -> Result<(), WorldError> {
        let own = self.ours(act)?;
        match act {
            ServerAct::Pause => own.resume().await,
            ServerAct::Kill | ServerAct::Restart { .. } => own.start_again().await,
            ServerAct::KillClients
            | ServerAct::Flush
            | ServerAct::Evict { .. }
            | ServerAct::MaxClients { .. }
            | ServerAct::Script { .. }
            | ServerAct::ClockJump { .. }
            | ServerAct::PasswordChange
            | ServerAct::Demote => own.orders().end(own.side(), act).await,
        }
    }

    /// Returns when it has died by itself.
    pub(super) async fn died(&self) -> WorldError {
        match self {
            Self::Own(own) => own.died().await,
            // That a server of somebody else's is away, the run finds by itself.
            Self::Given(_) => std::future::pending().await,
        }
    }

    pub(super) async fn close(&self) -> Result<(), WorldError> {
        match self {
            Self::Own(own) => own.close().await,
            Self::Given(given) => given.close().await,
        }
    }

    fn ours(&self, act: ServerAct) -> Result<&Own, WorldError> {
        match self {
            Self::Own(own) => Ok(own),
            Self::Given(_) => Err(failed("strike the server")(not_ours(act))),
        }
    }
}

/// Why a scenario cannot say as whom instances speak to a server that somebody else runs.
pub(super) const NO_LOGIN: &str = "user, password and database of a server that --redis-url names are those of that address; without \
                                   --redis-url one is started that has what the scenario says";

/// Why this cannot be done to a server that somebody else runs.
pub(super) fn not_ours(act: ServerAct) -> String {
    let what = match act {
        ServerAct::Pause => "paused",
        ServerAct::Kill => "killed",
        ServerAct::Restart { .. } => "restarted",
        ServerAct::KillClients => "told to end its connections",
        ServerAct::Flush => "emptied",
        ServerAct::Evict { .. } | ServerAct::MaxClients { .. } => "given other settings",
        ServerAct::Script { .. } => "kept busy",
        ServerAct::ClockJump { .. } => "given another clock",
        ServerAct::PasswordChange => "given another password",
        ServerAct::Demote => "demoted",
    };
    format!("a server that --redis-url names cannot be {what}; without --redis-url one is started that can")
}

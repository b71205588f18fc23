//! Worlds: where a run takes place. A world starts Redis, gives every instance a route to it, and carries out faults.

pub(crate) mod authority;
#[cfg(feature = "containers")]
pub mod containers;
mod content;
pub mod local;
mod login;
mod orders;
mod quiet;
mod side;
pub mod sim;

use clap::ValueEnum;
use thiserror::Error;

pub use login::Login;

use crate::history::Left;
use crate::plan::Strike;
use crate::subject::{BoxFuture, Route};

/// A world that is up.
pub trait World: Send + Sync {
    /// What to say of it in reports: versions, and which way bytes go.
    fn notes(&self) -> Vec<String>;
    /// How an instance reaches Redis, through the tap and the faults. A run asks for one more than it has instances: the
    /// fresh instance of the final reads, which no strike names.
    fn route(&self, instance: u16) -> Route;
    /// How many connections an instance has open now, as the tap counts.
    fn connections(&self, instance: u16) -> u64;
    /// Begins a strike, and returns when it has begun.
    fn begin<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>>;
    /// Ends a strike, and returns when it has ended.
    fn end<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>>;
    /// What Redis holds under `key`, straight from the side; `None` when there is no such key.
    fn look<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Left>, WorldError>>;
    /// The bytes that Redis holds under `key`, of whatever type it is, straight from the side; `None` when there is no such key, or its
    /// type is one that is not known.
    fn content<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, WorldError>>;
    /// Returns when the world has failed by itself, without a strike: a run that goes on then would mean nothing. Most worlds
    /// never do.
    fn failed(&self) -> BoxFuture<'_, WorldError> {
        Box::pin(std::future::pending())
    }
    /// Ends everything that it started; a second call does nothing.
    fn close(&self) -> BoxFuture<'_, Result<(), WorldError>>;
}

/// Which world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Virtual time, an embedded Redis and in-memory links: the same seed gives the same bytes.
    Sim,
    /// A real Redis of this machine behind Squall's own fault proxy.
    Local,
    /// Real Redis behind real Toxiproxy, in Docker.
    Containers,
}

impl Kind {
    /// Every world.
    pub const ALL: [Self; 3] = [Self::Sim, Self::Local, Self::Containers];

    /// The name that the command line takes and that reports show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Local => "local",
            Self::Containers => "containers",
        }
    }
}

/// What went wrong with a world.
#[derive(Debug, Error)]
pub enum WorldError {
    /// What it needs is not there.
    #[error("{what}\n  {cure}")]
    Missing {
        /// What is missing.
        what: String,
        /// What to do.
        cure: String,
    },
    /// Something that it did failed.
    #[error("failed to {doing}: {cause}")]
    Failed {
        /// What it was doing.
        doing: String,
        /// Why it failed.
        cause: String,
    },
    /// A fault is not what was meant: the proxy says something else.
    #[error("the proxy of {instance} differs from what was meant: {difference}")]
    Differs {
        /// The instance whose proxy differs.
        instance: String,
        /// How.
        difference: String,
    },
}

/// Turns a cause into an error that says what was being done.
pub(crate) fn failed<E: std::fmt::Display>(doing: &'static str) -> impl Fn(E) -> WorldError {
    move |cause| WorldError::Failed { doing: doing.to_owned(), cause: cause.to_string() }
}

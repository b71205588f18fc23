//! Subjects: clients under test.

pub mod flawed;
mod operators;
pub mod process;
pub mod reference;
mod route;
mod route_part;

pub use flawed::Flaw;
pub use route::{Credentials, Route};
pub use route_part::RoutePart;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use squall_client::seal::KEY_LENGTH;
use squall_client::{Clock, Profile};
use thiserror::Error;

use crate::history::{BreakerState, Capability, Mode, Resync, Sample, Saw, ServedBy, SessionId, Topic};
use crate::load::{Kind, Several, Through};
use crate::scenario::Topology;
use crate::world;

/// A future that owns or borrows what it needs and can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What starting an instance gives: the instance, and what it says of itself.
pub type Started = Result<(Box<dyn Instance>, Hello), SubjectError>;

/// Starts instances of one kind of client.
pub trait Subject: Send + Sync {
    /// Starts one instance. It must answer within its connect timeout plus 1 s, also when Redis is down.
    fn start(&self, start: Start) -> BoxFuture<'_, Started>;
    /// Why it cannot work in `world`, if so; its runs there are then skipped with the reason. A client that opens its own
    /// sockets cannot live in the sim world, whose time is virtual.
    fn unsupported(&self, _world: world::Kind) -> Option<String> {
        None
    }
    /// Why it cannot find its way where several servers belong together so, if so; its runs are then skipped with the reason. Each
    /// instance reaches each server by a way of its own, which is not at the address that the servers name.
    fn unsupported_topology(&self, topology: Topology) -> Option<String> {
        (topology != Topology::Standalone).then(|| NO_WAYS.to_owned())
    }
}

/// Why a client that opens its own sockets, or knows one address only, cannot be tested before several servers.
const NO_WAYS: &str = "this client would follow the addresses that servers and sentinels name, past the fault links; the reference \
                       client can be given another way to each";

impl fmt::Debug for dyn Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a subject")
    }
}

/// One running instance.
pub trait Instance: Send + Sync {
    /// Runs one operation to its end.
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Done, OperationError>>;
    /// Runs one request on several sessions to its end, and says of each what became of it, in their order. Asked only where it
    /// says that it can.
    fn call_several(&self, several: Several) -> BoxFuture<'_, Vec<Result<Done, OperationError>>> {
        let text = format!("it has no {}", several.what.name());
        let error = OperationError { code: "invalid".to_owned(), definite: true, text };
        Box::pin(std::future::ready(vec![Err(error); several.sessions.len()]))
    }
    /// Where a session lies in Redis, for a client that knows more than its [`Hello::key`] says.
    fn key(&self, _session: SessionId) -> Option<String> {
        None
    }
    /// What it can tell about itself now.
    fn sample(&self) -> Sample;
    /// What it tells of itself: its metrics, log, health, settings and more, in lines. Asked only where it says that it can.
    fn tell(&self, of: Topic) -> BoxFuture<'_, Result<String, OperationError>> {
        let text = format!("it has no {of} to tell");
        Box::pin(std::future::ready(Err(OperationError { code: "invalid".to_owned(), definite: true, text })))
    }
    /// Ends it and everything it started.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
    /// Ends it at once, as kill -9 ends a process: it says nothing more, and brings nothing to Redis. It is dropped next, which is
    /// enough for what lives in this process and ends with its last handle.
    fn kill(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// Waits until it is of no use any more, and says why: its process ended, or does not keep to the protocol. What lives in
    /// this process cannot break that way.
    fn broken(&self) -> BoxFuture<'_, String> {
        Box::pin(std::future::pending())
    }
}

/// What an instance needs to start.
pub struct Start {
    /// Its number.
    pub instance: u16,
    /// How it reaches Redis.
    pub route: Route,
    /// The `[client]` table with its profile resolved.
    pub settings: serde_json::Value,
    /// The interface of the client through which the operations are made. A client that lacks it starts all the same, and does
    /// not say that it can.
    pub through: Through,
    /// The key to encrypt values with, where the scenario asks for that; all instances of a run have the same. A client that has a key
    /// of its own may use that.
    pub encryption: Option<[u8; KEY_LENGTH]>,
    /// Set where the scenario asks for instances that take the route from variables of the environment: the profile whose variables
    /// they are. [`Route::variables`] gives their values.
    pub environment: Option<Profile>,
    /// Where its randomness comes from.
    pub seed: u64,
    /// The world's time.
    pub clock: Clock,
    /// Told of everything the instance says happened.
    pub observer: Arc<dyn Fn(Said) + Send + Sync>,
    /// Where it is to keep what it accepts without Redis: a folder that every instance of its number has, one after the other.
    /// `None`: in memory only.
    pub disk: Option<PathBuf>,
}

/// What an instance says of itself when it has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Name and version.
    pub name: String,
    /// Where a session lies in Redis, with `{session}` for its name, and `{shard}` for the number of its shard where there are shards.
    pub key: String,
    /// What it can do.
    pub can: Vec<Capability>,
    /// Settings that it does not have.
    pub ignored: Vec<String>,
}

/// Something that an instance says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Its breaker changed.
    Breaker {
        /// The state left.
        from: BreakerState,
        /// The state entered.
        to: BreakerState,
    },
    /// Who serves operations from now on.
    Mode(Mode),
    /// Its resync.
    Resync(Resync),
}

/// One operation to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub kind: Kind,
    /// The session.
    pub session: SessionId,
    /// The value (create, update), as the bytes to store.
    pub value: Option<bytes::Bytes>,
    /// The TTL in milliseconds (create, touch).
    pub ttl_ms: Option<u64>,
}

/// An operation that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Who acknowledged it.
    pub served_by: ServedBy,
    /// What it brought back.
    pub saw: Saw,
}

/// An operation that was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {text}")]
pub struct OperationError {
    /// The error code, such as `timeout`.
    pub code: String,
    /// Whether it surely did not happen and never will.
    pub definite: bool,
    /// The subject's words.
    pub text: String,
}

/// Why an instance could not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubjectError {
    /// The settings do not fit the subject.
    #[error("the subject refuses its settings: {0}")]
    Settings(String),
    /// It did not start.
    #[error("the subject did not start: {0}")]
    Start(String),
    /// The scenario asks for what it cannot do, such as TLS; the run is then skipped with the reason.
    #[error("the subject cannot do what the scenario asks for: {0}")]
    Unsupported(String),
}

//! A resilient session client for Redis.
//!
//! Every session is kept in a local copy, always. While Redis is away the copy serves; when Redis is back a resync brings it
//! what it missed, by a merge that loses nothing, revives nothing, and keeps every TTL. A [`Lookup`] has three answers: an
//! unreachable Redis never means "logged out".
//!
//! The parts, from the inside out: [`core`] is sans-IO (breaker, retry, resync, versions, records); [`gateway`] makes one call
//! to Redis safe; [`SessionClient`] is what a user holds. The client reaches Redis through [`Connect`], by TCP or by whatever
//! gives a byte stream, and tells everything that happens to an [`Observer`].

mod address;
mod answer;
pub mod backup;
mod breakers;
pub mod cache;
mod client;
pub mod clock;
mod cluster;
pub mod connect;
pub mod connect_to;
mod connection;
pub mod core;
pub mod disk;
mod durable;
pub mod endpoint;
pub mod env;
mod environment;
pub mod error;
pub mod event;
mod evictions;
#[cfg(test)]
mod fake_redis;
pub mod gateway;
mod generation;
pub mod health_check;
#[cfg(feature = "http")]
pub mod http;
mod in_time;
mod keys;
mod limits;
mod lock;
mod lua;
mod mode;
pub mod observe;
mod pool;
pub mod profile;
mod reconfigure;
mod replicas;
mod replies;
mod scan;
mod script;
pub mod seal;
mod sentinel;
pub mod settings;
mod sharded;
mod stats;
mod store;
mod sync;
mod task;
mod teller;
#[cfg(test)]
mod teller_tests;
pub mod tls;
pub mod typed;
mod watched;

pub use answer::{Ack, Cleared, Found, Level, Lookup, ServedBy, SessionError};
pub use backup::{BackedUp, BackupError, RestoreError, RestoreProblem, Restored};
pub use cache::{Cache, CacheStats, Count, LoadError};
pub use client::SessionClient;
pub use clock::Clock;
pub use cluster::Cluster;
pub use connect::{Answering, Asking, BoxStream, Connect, Connecting, Leading, Tcp};
pub use connect_to::ConnectTo;
pub use core::breaker::Force;
pub use core::class::Class;
pub use core::time::Time;
pub use disk::DiskError;
pub use endpoint::{Credentials, Endpoint, EndpointError};
pub use env::{Configured, EnvError};
pub use environment::{Environment, StartError};
pub use error::CallError;
pub use event::{Ended, Event, Mode, Observer, Operation, Resync, SessionLine};
pub use health_check::{Health, SessionType, Status};
pub use observe::Metrics;
pub use profile::Profile;
pub use seal::{KeysError, Seal, SealError, SealOptions};
pub use sentinel::Sentinel;
pub use settings::{ReconfigureError, Settings, SettingsError};
pub use sharded::Sharded;
pub use stats::Stats;
pub use tls::{Tls, TlsError, TlsOptions};
pub use typed::{Opened, Session, SessionStore, Statistics};

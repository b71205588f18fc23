//! redis-rs' `ConnectionManager` under test, bare: sessions as plain strings, no retries, no fallback, no breaker, no resync.
//!
//! It is an example of how a Rust client is put under test, and shows what its users have without anything around it.
//! `docs/subjects.md` walks through it.

mod error;

use std::sync::{Mutex, PoisonError};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisResult};
use squall::history::{Capability, Sample, Saw, ServedBy};
use squall::load::Kind;
use squall::load::value::seen;
use squall::subject::{
    BoxFuture, Done, Hello, Instance, OperationError, Request, Start, Started, Subject, SubjectError,
};
use squall::world;

use error::{closed, no_session, told};

/// Settings of a scenario's `[client]` table that the manager has no equivalent of. It reconnects by a rule of its own.
const IGNORED: [&str; 12] = [
    "deadline",
    "ping_after_idle",
    "drop_after_timeouts",
    "slow_call",
    "fallback",
    "protocol",
    "pool",
    "keepalive",
    "breaker",
    "retry",
    "resync",
    "local",
];

/// Starts connection managers.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisRs;

struct Running {
    /// None when it was shut down.
    manager: Mutex<Option<ConnectionManager>>,
    prefix: String,
}

impl Subject for RedisRs {
    fn start(&self, start: Start) -> BoxFuture<'_, Started> {
        Box::pin(async move {
            let setting = |key: &str| start.settings[key].as_str().unwrap_or_default().to_owned();
            let length = |key: &str| humantime::parse_duration(&setting(key)).ok();
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(length("connect_timeout"))
                .set_response_timeout(length("operation_timeout"));
            if start.route.ca().is_some() {
                return Err(SubjectError::Unsupported("it is built without redis-rs' TLS".to_owned()));
            }
            let url = start.route.url().ok_or_else(|| SubjectError::Start("it needs TCP".to_owned()))?;
            let lazy = |client| ConnectionManager::new_lazy_with_config(client, config);
            // Lazy, so that it starts when Redis is down too: the first command waits for the connection.
            let manager = Client::open(url).and_then(lazy);
            let manager = manager.map_err(|error| SubjectError::Start(error.to_string()))?;
            let prefix = setting("key_prefix");
            let hello = Hello {
                name: "redis-rs ConnectionManager".to_owned(),
                key: format!("{prefix}{{session}}"),
                can: vec![Capability::Ttl],
                ignored: IGNORED.map(str::to_owned).to_vec(),
            };
            let running = Running { manager: Mutex::new(Some(manager)), prefix };
            Ok((Box::new(running) as Box<dyn Instance>, hello))
        })
    }

    fn unsupported(&self, world: world::Kind) -> Option<String> {
        let why = "redis-rs opens sockets of its own, which the sim world's virtual time cannot have";
        (world == world::Kind::Sim).then(|| why.to_owned())
    }
}

impl Instance for Running {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Done, OperationError>> {
        Box::pin(self.perform(request))
    }

    fn sample(&self) -> Sample {
        Sample::default()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { drop(self.manager.lock().unwrap_or_else(PoisonError::into_inner).take()) })
    }
}

impl Running {
    async fn perform(&self, request: Request) -> Result<Done, OperationError> {
        let key = format!("{}{}", self.prefix, request.session);
        let value = request.value.as_deref().unwrap_or_default();
        let ttl_ms = request.ttl_ms.unwrap_or_default();
        let saw = match request.kind {
            Kind::Create => {
                let set = self.ask(redis::cmd("SET").arg(key).arg(value).arg("PX").arg(ttl_ms)).await;
                set.map(|()| Saw::Done)?
            }
            Kind::Update => {
                let set = redis::cmd("SET").arg(key).arg(value).arg("XX").arg("KEEPTTL").take();
                let stored: Option<String> = self.ask(&set).await?;
                stored.map(|_| Saw::Done).ok_or_else(no_session)?
            }
            Kind::Touch => match self.ask(redis::cmd("PEXPIRE").arg(key).arg(ttl_ms)).await? {
                true => Saw::Done,
                false => return Err(no_session()),
            },
            Kind::Destroy => {
                let _removed: u64 = self.ask(redis::cmd("DEL").arg(key)).await?;
                Saw::Done
            }
            Kind::Get => {
                let found: Option<Vec<u8>> = self.ask(redis::cmd("GET").arg(key)).await?;
                Saw::Value(found.map(|value| seen(&value)))
            }
            Kind::Ttl => Saw::Ttl(left(self.ask(redis::cmd("PTTL").arg(key)).await?)),
        };
        Ok(Done { served_by: ServedBy::Redis, saw })
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, OperationError> {
        let manager = self.manager.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut manager = manager.ok_or_else(closed)?;
        let reply: RedisResult<T> = command.query_async(&mut manager).await;
        reply.map_err(|error| told(&error))
    }
}

/// What `PTTL` says: -2 for no such key, -1 for a key that never expires.
fn left(pttl: i64) -> Option<u64> {
    match pttl {
        -2 => None,
        _ => Some(u64::try_from(pttl).unwrap_or(u64::MAX)),
    }
}

//! The reference client in a cluster: its sessions are divided among shards, each a client of its own.

use std::sync::Arc;

use rand::RngExt as _;
use squall_client::{Endpoint, Environment, Seal, Settings, Sharded};

use super::interface::Interface;
use crate::history::{Capability, Sample, SessionId};
use crate::scenario::SHARDS;
use crate::seed::fork;
use crate::subject::{
    BoxFuture, Done, Hello, Instance, OperationError, Request, Start, Started, SubjectError,
};

/// What it can do. Every shard has a breaker, of which the protocol knows one an instance: so none is told of, nor any resync.
const CAN: [Capability; 5] =
    [Capability::Fallback, Capability::Resync, Capability::Ttl, Capability::Samples, Capability::Encryption];

struct Running(Sharded);

/// Starts one instance.
pub(super) fn start(start: &Start, settings: &Settings, endpoint: &Endpoint) -> Started {
    let environment = |shard: u16| Environment {
        clock: start.clock.clone(),
        seed: fork(start.seed, &format!("shard {shard}")).random(),
        writer: u32::from(start.instance) + 1,
        observer: Arc::new(|_| ()),
        disk: start.disk.as_ref().map(|folder| folder.join(format!("sessions-{shard}"))),
        seal: start.encryption.map(|key| Seal::new(1, &key)),
    };
    let sharded = Sharded::start(settings, endpoint, SHARDS, environment)
        .map_err(|error| SubjectError::Settings(error.to_string()))?;
    let hello = Hello {
        name: concat!("squall-client ", env!("CARGO_PKG_VERSION"), ", sharded").to_owned(),
        key: format!("{}{{{{shard}}/{SHARDS}}}:{{session}}", settings.key_prefix),
        can: CAN.into_iter().chain(start.disk.as_ref().map(|_| Capability::Durable)).collect(),
        ignored: Vec::new(),
    };
    Ok((Box::new(Running(sharded)), hello))
}

impl Instance for Running {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Done, OperationError>> {
        self.0.of(&request.session.to_string()).perform(request)
    }

    fn key(&self, session: SessionId) -> Option<String> {
        let id = session.to_string();
        Some(format!("{}{id}", self.0.of(&id).settings().key_prefix))
    }

    /// Of what each shard has a bound for, what the fullest has.
    fn sample(&self) -> Sample {
        let shards = self.0.stats();
        Sample {
            local_bytes: shards.iter().map(|shard| shard.local_bytes).max(),
            local_sessions: shards.iter().map(|shard| shard.local_sessions).max(),
            dirty: Some(shards.iter().map(|shard| shard.dirty).sum()),
            ..Sample::default()
        }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.shutdown())
    }
}

#[cfg(test)]
mod tests {
    use squall_client::{Clock, Cluster, Credentials, connect_to};

    use super::*;
    use crate::check::keys::Keys;
    use crate::load::Through;
    use crate::subject::Route;

    #[tokio::test]
    async fn where_a_session_lies_is_told_so_that_it_is_found_in_the_wire_log() {
        let settings = Settings::default();
        let connect_to = connect_to::tcp(&settings.keepalive);
        let cluster = Cluster::new(Vec::new(), Credentials::default(), Arc::clone(&connect_to));
        let asked = Start {
            instance: 0,
            route: Route::Cluster { seeds: Vec::new(), connect_to, credentials: Default::default() },
            settings: serde_json::Value::Null,
            through: Through::Sessions,
            encryption: None,
            environment: None,
            seed: 1,
            clock: Clock::system(),
            observer: Arc::new(|_| ()),
            disk: None,
        };
        let (instance, hello) = start(&asked, &settings, &cluster.into()).unwrap();
        assert_eq!(hello.key, "session:{{shard}/8}:{session}");
        let keys = Keys::new(&hello.key).unwrap();
        let mut found = std::collections::BTreeSet::new();
        for session in (0..100).map(SessionId) {
            let key = instance.key(session).unwrap();
            assert_eq!(keys.session(&key), Some(session), "{key}");
            found.extend(key.split(':').nth(1).map(str::to_owned));
        }
        assert_eq!(found.len(), usize::from(SHARDS), "{found:?}");
    }
}

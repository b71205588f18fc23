//! How Redis and the client are doing, in one answer that always comes.

use std::collections::HashMap;
use std::time::Duration;

use redis::{FromRedisValue as _, Value};
use serde::Serialize;

use crate::client::SessionClient;
use crate::core::breaker::State;
use crate::core::class::Class;
use crate::core::time::Time;
use crate::error::CallError;
use crate::settings::Fallback;

/// How the client and its Redis are doing. It holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Health {
    /// In one word.
    pub status: Status,
    /// What is wrong, if anything.
    pub why: Option<String>,
    /// How long Redis took to answer a PING, in milliseconds.
    pub ping_ms: Option<f64>,
    /// Where sessions are kept just now.
    pub session_type: SessionType,
    /// What stands before a session's id in Redis.
    pub session_prefix: String,
    /// What Redis says of itself; `None` if it does not answer, or this user may not ask.
    pub redis: Option<RedisHealth>,
    /// The client.
    pub client: ClientHealth,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum Status {
    /// Redis answers, and lacks nothing.
    Healthy,
    /// Redis answers slowly, or some sessions still wait to be brought to it.
    Degraded,
    /// Redis does not answer.
    Down,
}

/// Where sessions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum SessionType {
    /// In Redis.
    Redis,
    /// In this instance's memory.
    Memory,
    /// Nowhere: operations fail.
    None,
}

/// What Redis says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RedisHealth {
    /// Its version.
    pub version: Option<String>,
    /// Bytes that its data take.
    pub used_memory: Option<u64>,
    /// Bytes that it may take; `None` for as many as there are.
    pub max_memory: Option<u64>,
    /// Memory that the system has given it, as a multiple of what it uses.
    pub fragmentation: Option<f64>,
    /// Share of reads of all clients that found their key, 0 to 1.
    pub hit_ratio: Option<f64>,
    /// Commands of all clients in the last second.
    pub operations_per_second: Option<u64>,
    /// Clients that are connected.
    pub connected_clients: Option<u64>,
    /// Keys in the database.
    pub db_keys: Option<u64>,
}

/// What the client says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ClientHealth {
    /// The breaker: `closed`, `open` or `half-open`.
    pub breaker: &'static str,
    /// Classes of calls that a breaker of their own has stopped: `reads`, `writes`, `upkeep`.
    pub stopped: Vec<&'static str>,
    /// Connections that are open.
    pub connections: u64,
    /// Connections that there may be.
    pub connections_max: u64,
    /// Sessions in the local copy, the destroyed ones included.
    pub local_sessions: u64,
    /// Bytes that they take, roughly.
    pub local_bytes: u64,
    /// Sessions whose newest Redis does not know yet.
    pub dirty: u64,
    /// How often Redis held something that was not a session, or not whole.
    pub damaged: u64,
}

impl SessionClient {
    /// Asks Redis how it is. The answer comes within the deadline of an operation, whatever Redis does, and the question counts
    /// for the breaker as any other.
    pub async fn health_check(&self) -> Health {
        let store = self.store();
        let asked = store.clock.now();
        let deadline = asked + store.settings.now().deadline;
        let gateway = &store.script.gateway;
        let pinged = gateway.call(&redis::cmd("PING"), true, deadline).await;
        let took = store.clock.now().since(asked);
        let redis = match pinged {
            Ok(_) => self.ask_redis(deadline).await,
            Err(_) => None,
        };
        let client = self.client_health();
        let (status, why) = match &pinged {
            Err(CallError::Overloaded) => (Status::Degraded, Some(CallError::Overloaded.to_string())),
            Err(CallError::Rejected { .. }) if gateway.state() == State::Closed => {
                (Status::Degraded, Some(format!("redis does not serve {}", client.stopped.join(" and "))))
            }
            Err(error @ CallError::Rejected { .. }) => {
                let failure =
                    gateway.last_failure().map(|failure| format!("; redis last failed so: {failure}"));
                (Status::Down, Some(format!("{error}{}", failure.unwrap_or_default())))
            }
            Err(error) => (Status::Down, Some(error.to_string())),
            Ok(_) if took > store.settings.now().slow_call => {
                (Status::Degraded, Some("redis answers slowly".to_owned()))
            }
            Ok(_) if !client.stopped.is_empty() => {
                (Status::Degraded, Some(format!("redis does not serve {}", client.stopped.join(" and "))))
            }
            Ok(_) if client.dirty > 0 => {
                (Status::Degraded, Some("sessions wait to be brought to redis".to_owned()))
            }
            Ok(_) => (Status::Healthy, None),
        };
        let session_type = match (status, store.settings.now().fallback) {
            (Status::Healthy | Status::Degraded, _) => SessionType::Redis,
            (Status::Down, Fallback::Memory) => SessionType::Memory,
            (Status::Down, Fallback::None) => SessionType::None,
        };
        Health {
            status,
            why,
            ping_ms: pinged.is_ok().then(|| milliseconds(took)),
            session_type,
            session_prefix: store.settings.now().key_prefix.clone(),
            redis,
            client,
        }
    }

    fn client_health(&self) -> ClientHealth {
        let (stats, gateway) = (self.stats(), &self.store().script.gateway);
        let stopped = |class: &Class| gateway.state_of(*class).is_some_and(|state| state != State::Closed);
        ClientHealth {
            breaker: stats.breaker.name(),
            stopped: Class::ALL.into_iter().filter(stopped).map(Class::name).collect(),
            connections: stats.connections,
            connections_max: self.store().settings.now().pool.connections.into(),
            local_sessions: stats.local_sessions,
            local_bytes: stats.local_bytes,
            dirty: stats.dirty,
            damaged: stats.damaged,
        }
    }

    async fn ask_redis(&self, deadline: Time) -> Option<RedisHealth> {
        let info = String::from_redis_value(self.ask_for("INFO", deadline).await.ok()?).ok()?;
        let keys = self.ask_for("DBSIZE", deadline).await.ok();
        let keys = keys.and_then(|keys| u64::from_redis_value(keys).ok());
        Some(RedisHealth { db_keys: keys, ..read(&info) })
    }

    async fn ask_for(&self, command: &str, deadline: Time) -> Result<Value, CallError> {
        self.store().script.gateway.call(&redis::cmd(command), true, deadline).await
    }
}

/// What `INFO` says.
fn read(info: &str) -> RedisHealth {
    let fields: HashMap<&str, &str> =
        info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<u64>().ok());
    let (hits, misses) = (number("keyspace_hits"), number("keyspace_misses"));
    let reads = hits.zip(misses).map(|(hits, misses)| (hits, hits + misses));
    RedisHealth {
        version: fields.get("redis_version").map(|text| (*text).to_owned()),
        used_memory: number("used_memory"),
        max_memory: number("maxmemory").filter(|bytes| *bytes > 0),
        fragmentation: fields.get("mem_fragmentation_ratio").and_then(|text| text.parse().ok()),
        hit_ratio: reads.filter(|(_, all)| *all > 0).map(|(hits, all)| hits as f64 / all as f64),
        operations_per_second: number("instantaneous_ops_per_sec"),
        connected_clients: number("connected_clients"),
        db_keys: None,
    }
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_and_what_it_lacks_is_absent() {
        let info = "# Server\r\nredis_version:7.0.15\r\nused_memory:1000\r\nmaxmemory:0\r\nmem_fragmentation_ratio:1.25\r\n\
                    keyspace_hits:3\r\nkeyspace_misses:1\r\nconnected_clients:x\r\n";
        let expected = RedisHealth {
            version: Some("7.0.15".to_owned()),
            used_memory: Some(1000),
            fragmentation: Some(1.25),
            hit_ratio: Some(0.75),
            ..RedisHealth::default()
        };
        assert_eq!(read(info), expected);
        assert_eq!(read(""), RedisHealth::default());
    }
}

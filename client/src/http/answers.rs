//! What the routes answer, in JSON. Their schemas are in the description.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Ack, Level, ServedBy};
use crate::health_check::{Health, SessionType, Status};
use crate::typed::Session;

/// How Redis is.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusAnswer {
    /// Whether Redis answers.
    pub(super) connected: bool,
    /// Its version, if it tells.
    pub(super) version: Option<String>,
    /// Bytes that its data take, if it tells.
    pub(super) used_memory: Option<u64>,
    /// Clients that are connected to it, if it tells.
    pub(super) connected_clients: Option<u64>,
    /// Keys in the database, if it tells.
    pub(super) db_keys: Option<u64>,
    /// Where sessions are kept just now.
    pub(super) session_type: SessionType,
    /// What stands before a session's id in Redis.
    pub(super) session_prefix: String,
    /// The breaker: `closed`, `open` or `half-open`.
    pub(super) breaker: &'static str,
    /// Classes of calls that a breaker of their own has stopped: `reads`, `writes`, `upkeep`.
    pub(super) stopped: Vec<&'static str>,
    /// Sessions whose newest Redis does not know yet.
    pub(super) dirty: u64,
}

/// What is known about a session. Points in time are milliseconds since 1970, by Redis's clock.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionAnswer {
    pub(super) id: String,
    /// Whose it is.
    pub(super) user: Option<String>,
    pub(super) message_count: u64,
    /// The number of the last message.
    pub(super) message_sequence: u64,
    pub(super) created_unix_ms: u64,
    pub(super) last_activity_unix_ms: u64,
    /// When its client went away; null while it is there.
    pub(super) disconnected_unix_ms: Option<u64>,
    /// The time to live that it was given, when it was created or extended last; null if this instance no longer knows.
    pub(super) ttl_seconds: Option<f64>,
    /// What is left of it.
    pub(super) remaining_ttl_seconds: f64,
    pub(super) served_by: ServedBy,
    /// What the service keeps in it, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub(super) data: Option<serde_json::Value>,
}

/// A write was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct AckAnswer {
    pub(super) id: String,
    /// What it survives: `replicas` the loss of Redis too, `redis` the loss of this instance, `disk` the end of this process, `memory` the absence of Redis.
    pub(super) level: Level,
    pub(super) served_by: ServedBy,
    /// The time to live that it has from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl_seconds: Option<f64>,
}

/// How many sessions there are.
#[derive(Serialize, ToSchema)]
pub(super) struct CountAnswer {
    /// Sessions that Redis has.
    pub(super) count: u64,
}

/// What was cleared.
#[derive(Serialize, ToSchema)]
pub(super) struct ClearAnswer {
    /// Sessions that were ended.
    pub(super) cleared: u64,
    /// What the end of each survives at least, as of an acknowledgement.
    pub(super) level: Level,
}

/// The settings of the client. Credentials are none of them.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigurationAnswer {
    /// All settings by their names, as a settings file has them; durations with their units.
    #[schema(value_type = Object)]
    pub(super) settings: serde_json::Value,
    /// The time to live that an extension gives unless it says otherwise.
    pub(super) session_ttl_seconds: f64,
}

/// How long a session shall live.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendRequest {
    /// From now on.
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub(super) ttl_seconds: Option<f64>,
}

/// How a session is shown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionOptions {
    /// With what the service keeps in it; only where the service allows that.
    #[serde(default)]
    pub(super) data: bool,
}

/// What is cleared.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ClearOptions {
    /// Which ids, as Redis has patterns: `*`, `?`, `[a-z]`. `*` is all.
    pub(super) pattern: String,
}

/// Which health is asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HealthOptions {
    /// 200 as long as this instance serves sessions, from memory too. For load balancers: an instance that does well without
    /// Redis should keep its clients.
    #[serde(default)]
    pub(super) serving: bool,
}

impl StatusAnswer {
    pub(super) fn of(health: Health) -> Self {
        let connected = health.status != Status::Down;
        let redis = health.redis.unwrap_or_default();
        Self {
            connected,
            version: redis.version,
            used_memory: redis.used_memory,
            connected_clients: redis.connected_clients,
            db_keys: redis.db_keys,
            session_type: health.session_type,
            session_prefix: health.session_prefix,
            breaker: health.client.breaker,
            stopped: health.client.stopped,
            dirty: health.client.dirty,
        }
    }
}

impl SessionAnswer {
    pub(super) fn of<T>(
        session: Session<T>,
        given: Option<Duration>,
        data: Option<serde_json::Value>,
    ) -> Self {
        Self {
            id: session.id,
            user: session.user,
            message_count: session.messages,
            message_sequence: session.sequence,
            created_unix_ms: session.created_unix_ms,
            last_activity_unix_ms: session.last_activity_unix_ms,
            disconnected_unix_ms: session.disconnected_unix_ms,
            ttl_seconds: given.map(seconds),
            remaining_ttl_seconds: seconds(session.ttl),
            served_by: session.served_by,
            data,
        }
    }
}

impl AckAnswer {
    pub(super) fn of(id: String, ack: Ack, ttl: Option<Duration>) -> Self {
        let Ack { served_by, level } = ack;
        Self { id, level, served_by, ttl_seconds: ttl.map(seconds) }
    }
}

/// Seconds, to the millisecond.
pub(super) fn seconds(length: Duration) -> f64 {
    (length.as_secs_f64() * 1e3).round() / 1e3
}

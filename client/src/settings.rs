//! Settings of the client, with the defaults and ranges of each.

mod breaker;
mod live;
mod per_class;
mod problems;
mod replicas;
mod retry;

use std::time::Duration;

use problems::Problems;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::keys;
pub use breaker::{BreakerSettings, Thresholds};
pub(crate) use live::Live;
pub use live::ReconfigureError;
pub use per_class::PerClass;
pub use replicas::ReplicaSettings;
pub use retry::{Attempts, RetrySettings};

/// All settings. Durations are strings with units, such as `"1500ms"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What stands before a session's id in Redis.
    pub key_prefix: String,
    /// How long opening a connection may take, handshake included.
    #[serde(with = "length")]
    pub connect_timeout: Duration,
    /// How long one attempt may wait for its reply.
    #[serde(with = "length")]
    pub operation_timeout: Duration,
    /// How long a whole operation may take: connects, attempts and waits between them.
    #[serde(with = "length")]
    pub deadline: Duration,
    /// A connection that was idle for this long is asked with PING before it is used again.
    #[serde(with = "length")]
    pub ping_after_idle: Duration,
    /// A connection on which so many replies in a row did not come in time is given up.
    pub drop_after_timeouts: u32,
    /// Calls that take longer than this are told of as slow.
    #[serde(with = "length")]
    pub slow_call: Duration,
    /// Who serves operations while Redis is away.
    pub fallback: Fallback,
    /// The protocol that is spoken with Redis.
    pub protocol: Protocol,
    /// The pool of connections.
    pub pool: PoolSettings,
    /// TCP keepalive.
    pub keepalive: KeepaliveSettings,
    /// The circuit breaker.
    pub breaker: BreakerSettings,
    /// Retries.
    pub retry: RetrySettings,
    /// Bringing to Redis what was accepted locally.
    pub resync: ResyncSettings,
    /// Waiting for replicas.
    pub replicas: ReplicaSettings,
    /// The local copy of every session.
    pub local: LocalSettings,
}

/// A version of Redis's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The one that every server speaks.
    Resp2,
    /// The one since Redis 6. A server that does not know it refuses the connection.
    Resp3,
}

/// Who serves operations while Redis is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// The local copy, in memory.
    Memory,
    /// Nobody: operations fail.
    None,
}

/// The pool of connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolSettings {
    /// Multiplexed connections at most.
    pub connections: u32,
    /// Calls in flight at most; one more is answered `overloaded`.
    pub in_flight: u32,
}

/// TCP keepalive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeepaliveSettings {
    /// Idle time before the first probe.
    #[serde(with = "length")]
    pub idle: Duration,
    /// Time between probes.
    #[serde(with = "length")]
    pub interval: Duration,
    /// Unanswered probes that end the connection.
    pub probes: u32,
}

/// Bringing to Redis what was accepted locally.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResyncSettings {
    /// Off: what was accepted locally stays local.
    pub enabled: bool,
    /// Sessions a second at the start.
    pub rate_start: f64,
    /// Sessions a second at most.
    pub rate_max: f64,
    /// Factor on the rate after each good batch.
    pub growth: f64,
    /// Sessions in one batch at most.
    pub batch: u32,
    /// Chance delays the start by up to this, so that instances do not start together.
    #[serde(with = "length")]
    pub start_delay_max: Duration,
    /// How long Redis remembers a destroyed session. Longer than the longest TTL plus the longest outage.
    #[serde(with = "length")]
    pub tombstone_ttl: Duration,
}

/// The local copy of every session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalSettings {
    /// Sessions at most.
    pub sessions: u64,
    /// Bytes at most. A reply of Redis may have twice as many, or 64 MiB if that is more.
    pub bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key_prefix: "session:".to_owned(),
            connect_timeout: Duration::from_millis(1000),
            operation_timeout: Duration::from_millis(500),
            deadline: Duration::from_secs(2),
            ping_after_idle: Duration::from_secs(30),
            drop_after_timeouts: 1,
            slow_call: Duration::from_millis(500),
            fallback: Fallback::Memory,
            protocol: Protocol::Resp2,
            pool: PoolSettings::default(),
            keepalive: KeepaliveSettings::default(),
            breaker: BreakerSettings::default(),
            retry: RetrySettings::default(),
            resync: ResyncSettings::default(),
            replicas: ReplicaSettings::default(),
            local: LocalSettings::default(),
        }
    }
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { connections: 4, in_flight: 1024 }
    }
}

impl Default for KeepaliveSettings {
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), interval: Duration::from_secs(30), probes: 3 }
    }
}

impl Default for ResyncSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            rate_start: 200.0,
            rate_max: 5000.0,
            growth: 1.5,
            batch: 32,
            start_delay_max: Duration::from_millis(200),
            tombstone_ttl: Duration::from_secs(2 * 3600),
        }
    }
}

impl Default for LocalSettings {
    fn default() -> Self {
        Self { sessions: 100_000, bytes: 64 * 1024 * 1024 }
    }
}

/// A setting out of its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} is {value}; {cure}")]
pub struct SettingsError {
    /// The setting, such as `breaker.jitter`.
    pub key: String,
    /// The value that was given.
    pub value: String,
    /// What it may be.
    pub cure: String,
}

const HOUR: Duration = Duration::from_secs(3600);
const MS: Duration = Duration::from_millis(1);

impl Settings {
    /// Every setting that is out of its range.
    pub fn problems(&self) -> Vec<SettingsError> {
        let mut found = Problems(Vec::new());
        let prefix = &self.key_prefix;
        let fine = prefix.len() <= 256 && !prefix.chars().any(char::is_control) && keys::is_free(prefix);
        let cure = "at most 256 bytes, no control characters, and nothing of the client's own first, such as tomb: or squall:user:";
        found.unless(fine, "key_prefix", format!("{prefix:?}"), cure);
        found.length("connect_timeout", self.connect_timeout, MS, HOUR);
        found.length("operation_timeout", self.operation_timeout, MS, HOUR);
        found.length("deadline", self.deadline, self.operation_timeout, HOUR);
        found.length("ping_after_idle", self.ping_after_idle, MS, HOUR);
        found.length("slow_call", self.slow_call, MS, HOUR);
        found.count("drop_after_timeouts", self.drop_after_timeouts.into(), 1, 1000);
        found.count("pool.connections", self.pool.connections.into(), 1, 1000);
        found.count("pool.in_flight", self.pool.in_flight.into(), 1, 1_000_000);
        found.length("keepalive.idle", self.keepalive.idle, Duration::from_secs(1), HOUR);
        found.length("keepalive.interval", self.keepalive.interval, Duration::from_secs(1), HOUR);
        found.count("keepalive.probes", self.keepalive.probes.into(), 1, 100);
        self.breaker.problems(&mut found);
        self.retry.problems(&mut found);
        self.resync.problems(&mut found);
        self.replicas.problems(&mut found);
        found.count("local.sessions", self.local.sessions, 1, 100_000_000);
        found.count("local.bytes", self.local.bytes, 1024, 1 << 40);
        found.0
    }

    /// The first setting that is out of its range, as an error.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }
}

impl ResyncSettings {
    fn problems(&self, found: &mut Problems) {
        found.number("resync.rate_start", self.rate_start, 1.0, 1e6);
        found.number("resync.rate_max", self.rate_max, self.rate_start.max(1.0), 1e6);
        found.number("resync.growth", self.growth, 1.0, 10.0);
        found.count("resync.batch", self.batch.into(), 1, 10_000);
        found.length("resync.start_delay_max", self.start_delay_max, Duration::ZERO, HOUR);
        found.length("resync.tombstone_ttl", self.tombstone_ttl, Duration::from_secs(1), 24 * 365 * HOUR);
    }
}

/// Durations as strings with units.
mod length {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*length))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let cure = |()| {
            de::Error::custom(format!(
                "not a duration: {text:?} (expected a number with a unit, such as \"1500ms\" or \"2s\")"
            ))
        };
        // humantime panics on some sums near the largest duration, so such numbers never reach it.
        let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        if digits > 10 || text.len() > 40 {
            return Err(cure(()));
        }
        humantime::parse_duration(&text).map_err(|_| cure(()))
    }
}

#[cfg(test)]
mod tests;

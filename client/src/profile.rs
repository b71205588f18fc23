//! Named settings: the figures of the five systems that Squall's promises come from.

use std::time::Duration;

use crate::settings::{BreakerSettings, PoolSettings, ResyncSettings, RetrySettings, Settings};

/// A named set of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A chatbot's session manager: opens fast, goes on in memory.
    Chatbot,
    /// A cache manager on a hosted Redis.
    CacheV4,
    /// Session persistence of a WebSocket chat service.
    Websocket,
    /// Sessions of a web application with many workers.
    MultiWorker,
    /// The Redis layer of a security operations assistant.
    Companion,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 5] =
        [Self::Chatbot, Self::CacheV4, Self::Websocket, Self::MultiWorker, Self::Companion];

    /// The name that settings files use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chatbot => "chatbot",
            Self::CacheV4 => "cache-v4",
            Self::Websocket => "websocket",
            Self::MultiWorker => "multi-worker",
            Self::Companion => "companion",
        }
    }

    /// The profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Its settings.
    pub fn settings(self) -> Settings {
        let base = Settings::default();
        match self {
            Self::Chatbot => Settings {
                connect_timeout: Duration::from_millis(1500),
                pool: PoolSettings { connections: 30, ..base.pool },
                ..base
            },
            Self::CacheV4 => Settings {
                key_prefix: "cache:".to_owned(),
                connect_timeout: Duration::from_secs(2),
                operation_timeout: Duration::from_secs(2),
                deadline: Duration::from_secs(3),
                pool: PoolSettings { connections: 20, ..base.pool },
                breaker: BreakerSettings { failures: 5, ..base.breaker },
                ..base
            },
            Self::Websocket => Settings { pool: PoolSettings { connections: 2, ..base.pool }, ..base },
            Self::MultiWorker => Settings {
                key_prefix: "chatmrpt:".to_owned(),
                resync: ResyncSettings { tombstone_ttl: Duration::from_secs(24 * 3600), ..base.resync },
                ..base
            },
            Self::Companion => Settings {
                connect_timeout: Duration::from_secs(10),
                operation_timeout: Duration::from_secs(10),
                deadline: Duration::from_secs(12),
                pool: PoolSettings { connections: 20, ..base.pool },
                retry: RetrySettings {
                    retries: 3,
                    base: Duration::from_millis(500),
                    cap: Duration::from_secs(4),
                    ..base.retry
                },
                ..base
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_in_range_and_found_by_its_name() {
        for profile in Profile::ALL {
            assert_eq!(profile.settings().problems(), [], "{}", profile.name());
            assert_eq!(Profile::named(profile.name()), Some(profile));
        }
        assert_eq!(Profile::named("chatbots"), None);
    }
}

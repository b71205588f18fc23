//! `evict`: memory is short, and the server removes keys.

use proptest::sample;
use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, Problem, ServerAct, range};
use crate::units::Size;

/// While it lasts the server's data may take so much memory and no more; what is over goes, by the policy.
///
/// ```toml
/// faults = [{ inject.evict = { maxmemory = "1 MiB", policy = "allkeys-lru" } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evict {
    /// How much, 1 kB to 1 TiB, beyond what the server takes without any data.
    pub maxmemory: Size,
    /// Which keys go: those that were not used for longest unless the file says otherwise.
    #[serde(default)]
    pub policy: Eviction,
}

/// Which keys go when memory is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Eviction {
    /// None: commands that need memory are refused.
    Noeviction,
    /// Those that were not used for longest.
    #[default]
    AllkeysLru,
    /// Those that are used least often.
    AllkeysLfu,
    /// Any.
    AllkeysRandom,
    /// Of those with a TTL the ones that were not used for longest.
    VolatileLru,
    /// Of those with a TTL the ones that are used least often.
    VolatileLfu,
    /// Any with a TTL.
    VolatileRandom,
    /// Those that expire first.
    VolatileTtl,
}

impl Eviction {
    /// Every policy.
    pub const ALL: [Self; 8] = [
        Self::Noeviction,
        Self::AllkeysLru,
        Self::AllkeysLfu,
        Self::AllkeysRandom,
        Self::VolatileLru,
        Self::VolatileLfu,
        Self::VolatileRandom,
        Self::VolatileTtl,
    ];

    /// What Redis calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Noeviction => "noeviction",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }
}

impl Inject for Evict {
    const EXAMPLE: &'static str = "inject.evict = { maxmemory = \"1 MiB\", policy = \"allkeys-lru\" }";

    fn act(&self) -> Act {
        Act::Server(ServerAct::Evict { bytes: self.maxmemory.0, policy: self.policy })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        (1_u64..50, sample::select(Eviction::ALL.as_slice()))
            .prop_map(|(kilobytes, policy)| Self { maxmemory: Size(kilobytes * 1000), policy })
            .sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        range::size("maxmemory", self.maxmemory, 1000, 1 << 40).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_the_names_that_redis_gives_them() {
        let evict = |text: &str| toml::from_str::<Evict>(text);
        assert_eq!(evict("maxmemory = \"1 MiB\"").unwrap().policy, Eviction::AllkeysLru);
        for policy in ["noeviction", "allkeys-lru", "allkeys-lfu", "volatile-random", "volatile-ttl"] {
            let found = evict(&format!("maxmemory = \"1 MiB\"\npolicy = \"{policy}\"")).unwrap();
            assert_eq!(found.policy.name(), policy);
        }
        assert!(evict("maxmemory = \"1 MiB\"\npolicy = \"lru\"").is_err());
        assert_eq!(evict("maxmemory = \"1 B\"").unwrap().problems().len(), 1);
    }
}

//! The types of a scenario file, as it is written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::check::{Allow, Canary, Expect};
use crate::fault::{Direction, Fault, Matching};
use crate::load::Load;
use crate::units::{self, length, optional_length};

use super::given::Given;
use super::login;

/// A whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) proves: String,
    pub(super) origin: Vec<String>,
    /// Read again as settings, over the profile.
    pub(super) client: toml::Table,
    pub(super) redis: Redis,
    pub(super) load: Load,
    pub(super) judge: Judge,
    pub(super) operation: Vec<Given>,
    pub(super) phase: Vec<Phase>,
    pub(super) expect: Expect,
    pub(super) allow: Vec<Allow>,
    pub(super) canary: Option<Canary>,
}

/// `[redis]`: the server that the scenario wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// How many servers, and how they belong together.
    pub topology: Topology,
    /// Container image of the server, such as `valkey/valkey:8.1.1`; the world's own when absent.
    pub image: Option<String>,
    /// The ACL user that instances log in as; the default one when absent.
    pub user: Option<String>,
    /// Whether instances must log in, with a password that is made up from the seed.
    #[serde(deserialize_with = "login::made_up")]
    pub password: bool,
    /// The database that they use.
    pub database: u32,
    /// Whether they speak TLS.
    pub tls: bool,
}

/// How the servers belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// One server.
    #[default]
    Standalone,
    /// One primary, two replicas, three sentinels.
    Sentinel,
    /// Three primaries, three replicas.
    Cluster,
}

/// `[judge]`: figures that the checks use, where the file names them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Judge {
    #[serde(with = "optional_length")]
    pub(super) resync_within: Option<Duration>,
    #[serde(with = "optional_length")]
    pub(super) clock_slack: Option<Duration>,
    #[serde(with = "optional_length")]
    pub(super) ttl_slack: Option<Duration>,
    #[serde(with = "optional_length")]
    pub(super) response_within: Option<Duration>,
    #[serde(with = "optional_length")]
    pub(super) open_within: Option<Duration>,
    #[serde(with = "optional_length")]
    pub(super) close_within: Option<Duration>,
}

/// `[[phase]]`: a named stretch of the run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How long it lasts.
    #[serde(rename = "for", with = "length")]
    pub length: Duration,
    /// What strikes in it.
    #[serde(default)]
    pub faults: Vec<PhaseFault>,
}

/// A fault of a phase, with its window and its targets.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseFault {
    /// The fault.
    pub inject: Fault,
    /// When it begins, from the start of the phase.
    #[serde(default, with = "length")]
    pub at: Duration,
    /// How long it lasts; to the end of the phase when absent.
    #[serde(default, rename = "for", with = "optional_length")]
    pub length: Option<Duration>,
    /// The instances that it strikes; all when absent.
    #[serde(default, deserialize_with = "some")]
    pub on: Vec<Target>,
    /// Which way it bends the link; both when absent.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// The share that it strikes, above 0 up to 1; all when absent. Decided for each connection, and for a fault that strikes
    /// commands for each command.
    #[serde(default)]
    pub probability: Option<f64>,
    /// The commands that it strikes; all when absent.
    #[serde(default, rename = "match")]
    pub matching: Option<Matching>,
}

/// An instance that a fault strikes, written `instance-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(pub u16);

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("instance-").and_then(|number| number.parse().ok());
        number
            .map(Self)
            .ok_or_else(|| format!("unknown instance {text:?}; expected one such as \"instance-0\""))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "instance-{}", self.0)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        units::read(deserializer, "an instance, such as \"instance-0\"", str::parse)
    }
}

/// A list that names somebody: an empty one would be taken for all.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Target>, D::Error> {
    let named = Vec::deserialize(deserializer)?;
    let nobody = || D::Error::custom("it names no instance; name some, or remove `on` to strike all");
    if named.is_empty() { Err(nobody()) } else { Ok(named) }
}

impl PhaseFault {
    /// Its window, from the start of its phase: `for` reaches to the phase's end unless the file says otherwise.
    pub fn window(&self, phase: Duration) -> (Duration, Duration) {
        let end = self.length.map_or(phase, |length| self.at.saturating_add(length));
        (self.at, end)
    }

    /// The instances that it strikes, of so many.
    pub fn instances(&self, of: u16) -> Vec<u16> {
        if self.on.is_empty() { (0..of).collect() } else { self.on.iter().map(|target| target.0).collect() }
    }
}

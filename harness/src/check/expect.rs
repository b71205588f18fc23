//! What a scenario expects beyond the invariants: the sequence of breaker states, figures, and what instances tell.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{SometimesExpectation, ToldExpectation};
use crate::history::BreakerState;
use crate::load::Kind;

/// Everything that a scenario expects: its `[[expect.*]]` tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// Sequences of breaker states.
    pub breaker: Vec<BreakerExpectation>,
    /// Figures.
    pub metric: Vec<MetricExpectation>,
    /// What must happen in at least one run of the suite.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sometimes: Vec<SometimesExpectation>,
    /// What instances tell of themselves when asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<ToldExpectation>,
}

/// `[[expect.breaker]]`: the states that a breaker goes through, first to last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerExpectation {
    /// The whole sequence, repeated states left out. `closed` alone means that it never opens.
    pub sequence: Vec<BreakerState>,
    /// Whose breaker.
    #[serde(default)]
    pub on: OnInstances,
    /// Judge what happens during this phase only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<String>,
}

/// `[[expect.metric]]`: a figure and its bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricExpectation {
    /// The figure.
    pub of: Metric,
    /// Its bound, such as `>= 0.999` or `<= 5s`.
    pub is: Comparison,
    /// Judge what starts during this phase only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<String>,
    /// Judge these instances only; each of them must hold for a breaker's figure, all of them together for the others.
    #[serde(default)]
    pub on: OnInstances,
}

/// `allow = [{ check = "I8", because = "..." }]`: the only way out of an invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// The check waived, such as `I8`.
    pub check: String,
    /// Why.
    pub because: String,
}

/// Which instances an expectation is about: `every`, `any`, or one such as `instance-1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInstances {
    /// Each of them must hold.
    #[default]
    Every,
    /// One of them must hold.
    Any,
    /// This one must hold.
    One(u16),
}

/// A figure that can be computed from a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// `get.ok_rate`, `all.ok_rate`: share of operations that were acknowledged; definite `no-session` answers count as
    /// acknowledged, since they say what is true.
    OkRate(Option<Kind>),
    /// `get.local_rate`: share of the acknowledged operations that were served locally.
    LocalRate(Option<Kind>),
    /// `update.replicated_rate`, `all.replicated_rate`: share of the acknowledged writes that replicas have.
    ReplicatedRate(Option<Kind>),
    /// `get.p99`, `all.p50`, `update.max`: latency from when the load meant the operation to start; thousandths.
    Latency(Option<Kind>, u16),
    /// `resync.duration`: the longest time from a resync's start to its finish.
    ResyncDuration,
    /// `breaker.opened_after`: from the first fault's start to the breaker's first opening.
    BreakerOpenedAfter,
    /// `breaker.closed_after`: from the last fault's end to the breaker's last closing.
    BreakerClosedAfter,
}

/// A bound, such as `>= 0.999` or `<= 5s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// How to compare.
    pub operator: Operator,
    /// With what: a share, or seconds.
    pub bound: f64,
    /// True when the bound was written as a duration.
    pub is_duration: bool,
}

/// How a figure is compared with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

impl Metric {
    /// Whether the figure is a duration (else it is a share from 0 to 1).
    pub fn is_duration(self) -> bool {
        match self {
            Self::OkRate(_) | Self::LocalRate(_) | Self::ReplicatedRate(_) => false,
            Self::Latency(..)
            | Self::ResyncDuration
            | Self::BreakerOpenedAfter
            | Self::BreakerClosedAfter => true,
        }
    }

    /// Every name that a scenario may write, for errors and help.
    pub fn names() -> Vec<String> {
        let subjects = Kind::ALL.iter().map(|kind| Some(*kind)).chain([None]);
        let mut names: Vec<String> =
            subjects.flat_map(Self::of_operation).map(|metric| metric.to_string()).collect();
        names.extend(
            [Self::ResyncDuration, Self::BreakerOpenedAfter, Self::BreakerClosedAfter].map(|m| m.to_string()),
        );
        names
    }

    fn of_operation(kind: Option<Kind>) -> Vec<Self> {
        let percentiles = [500, 900, 950, 990, 999, 1000].map(|thousandths| Self::Latency(kind, thousandths));
        let writes = kind.is_none_or(|kind| !matches!(kind, Kind::Get | Kind::Ttl));
        let replicated = writes.then_some(Self::ReplicatedRate(kind));
        [Self::OkRate(kind), Self::LocalRate(kind)].into_iter().chain(replicated).chain(percentiles).collect()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |kind: &Option<Kind>| kind.map_or("all", Kind::name);
        match self {
            Self::OkRate(kind) => write!(f, "{}.ok_rate", of(kind)),
            Self::LocalRate(kind) => write!(f, "{}.local_rate", of(kind)),
            Self::ReplicatedRate(kind) => write!(f, "{}.replicated_rate", of(kind)),
            Self::Latency(kind, 1000) => write!(f, "{}.max", of(kind)),
            Self::Latency(kind, 999) => write!(f, "{}.p999", of(kind)),
            Self::Latency(kind, thousandths) => write!(f, "{}.p{}", of(kind), thousandths / 10),
            Self::ResyncDuration => f.write_str("resync.duration"),
            Self::BreakerOpenedAfter => f.write_str("breaker.opened_after"),
            Self::BreakerClosedAfter => f.write_str("breaker.closed_after"),
        }
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let subjects = Kind::ALL.iter().map(|kind| Some(*kind)).chain([None]);
        let all = subjects.flat_map(Self::of_operation).chain([
            Self::ResyncDuration,
            Self::BreakerOpenedAfter,
            Self::BreakerClosedAfter,
        ]);
        let found = all.into_iter().find(|metric| metric.to_string() == text);
        found.ok_or_else(|| crate::suggest::unknown("metric", text, &Self::names()))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::Less => "<",
            Operator::AtMost => "<=",
            Operator::AtLeast => ">=",
            Operator::More => ">",
        };
        if self.is_duration {
            write!(f, "{operator} {}", humantime::format_duration(Duration::from_secs_f64(self.bound)))
        } else {
            write!(f, "{operator} {}", self.bound)
        }
    }
}

impl FromStr for Comparison {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let cure = || {
            format!(
                "not a bound: {text:?} (expected <, <=, >= or > and a share or a duration, such as \">= 0.999\" or \"<= 5s\")"
            )
        };
        let digits = text.find(|c: char| c.is_ascii_digit()).ok_or_else(cure)?;
        let (operator, bound) = text.split_at(digits);
        let operator = match operator.trim() {
            "<" => Operator::Less,
            "<=" => Operator::AtMost,
            ">=" => Operator::AtLeast,
            ">" => Operator::More,
            _ => return Err(cure()),
        };
        if let Ok(bound) = bound.trim().parse::<f64>() {
            let bound = Some(bound).filter(|bound| bound.is_finite()).ok_or_else(cure)?;
            return Ok(Self { operator, bound, is_duration: false });
        }
        let bound = crate::units::parse_duration(bound.trim()).map_err(|_| cure())?;
        Ok(Self { operator, bound: bound.as_secs_f64(), is_duration: true })
    }
}

impl Comparison {
    /// Whether `figure` (a share, or seconds) is within the bound.
    pub fn holds(&self, figure: f64) -> bool {
        match self.operator {
            Operator::Less => figure < self.bound,
            Operator::AtMost => figure <= self.bound,
            Operator::AtLeast => figure >= self.bound,
            Operator::More => figure > self.bound,
        }
    }
}

impl fmt::Display for OnInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("every"),
            Self::Any => f.write_str("any"),
            Self::One(instance) => write!(f, "instance-{instance}"),
        }
    }
}

impl FromStr for OnInstances {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "every" => Ok(Self::Every),
            "any" => Ok(Self::Any),
            _ => {
                let number = text.strip_prefix("instance-").and_then(|number| number.parse().ok());
                let cure = || {
                    format!(
                        "unknown instance {text:?} (expected \"every\", \"any\" or one such as \"instance-0\")"
                    )
                };
                number.map(Self::One).ok_or_else(cure)
            }
        }
    }
}

/// These are strings in a scenario and in a history.
macro_rules! as_string {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

as_string!(Metric, Comparison, OnInstances);

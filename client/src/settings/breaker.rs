//! Settings of the circuit breaker.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problems::Problems;
use super::{HOUR, MS, PerClass, length};

/// The circuit breaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// Off: every call goes through.
    pub enabled: bool,
    /// Failures in a row that open it.
    pub failures: u32,
    /// Share of failures among the calls of the window that opens it, above 0 up to 1.
    pub failure_rate: f64,
    /// Whether calls that take longer than `slow_call` may open it, though Redis answers them.
    pub slow_calls: bool,
    /// Share of slow calls among the calls of the window that opens it, above 0 up to 1. Failures count as slow too.
    pub slow_rate: f64,
    /// The sliding window of the rates.
    #[serde(with = "length")]
    pub window: Duration,
    /// Calls in the window below which the rates are not judged.
    pub min_calls: u32,
    /// How long it stays open the first time.
    #[serde(with = "length")]
    pub cool_down: Duration,
    /// What repeated trips let the cool-down grow to.
    #[serde(with = "length")]
    pub cool_down_max: Duration,
    /// Share of the cool-down that chance adds or takes away, 0 to 1.
    pub jitter: f64,
    /// Probes in a row that must succeed before it closes.
    pub probes: u32,
    /// A probe that has not ended by then is taken for failed.
    #[serde(with = "length")]
    pub probe_lease: Duration,
    /// How long users' operations take to come back to Redis in full once it has closed: in each third 1 %, 10 %, and 50 % of
    /// those that the local copy can serve go to Redis. Zero: all at once.
    #[serde(with = "length")]
    pub ramp: Duration,
    /// Classes of calls that have a breaker of their own beside this one, with thresholds of their own. Their timeouts, slow
    /// calls and refusals open that one, and stop only them; connections that end count here as ever.
    #[serde(skip_serializing_if = "PerClass::is_empty")]
    pub per_class: PerClass<Thresholds>,
}

/// When a breaker of one class of calls opens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// See [`BreakerSettings::failures`].
    pub failures: u32,
    /// See [`BreakerSettings::failure_rate`].
    pub failure_rate: f64,
    /// See [`BreakerSettings::slow_rate`].
    pub slow_rate: f64,
    /// See [`BreakerSettings::min_calls`].
    pub min_calls: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        let Thresholds { failures, failure_rate, slow_rate, min_calls } = Thresholds::default();
        Self {
            enabled: true,
            failures,
            failure_rate,
            slow_calls: true,
            slow_rate,
            window: Duration::from_secs(10),
            min_calls,
            cool_down: Duration::from_secs(15),
            cool_down_max: Duration::from_secs(60),
            jitter: 0.2,
            probes: 1,
            probe_lease: Duration::from_secs(2),
            ramp: Duration::ZERO,
            per_class: PerClass::default(),
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { failures: 3, failure_rate: 0.5, slow_rate: 1.0, min_calls: 20 }
    }
}

impl BreakerSettings {
    /// The settings of a breaker of one class.
    pub(crate) fn of_class(&self, own: Thresholds) -> Self {
        let Thresholds { failures, failure_rate, slow_rate, min_calls } = own;
        Self { failures, failure_rate, slow_rate, min_calls, per_class: PerClass::default(), ..self.clone() }
    }

    fn thresholds(&self) -> Thresholds {
        let Self { failures, failure_rate, slow_rate, min_calls, .. } = *self;
        Thresholds { failures, failure_rate, slow_rate, min_calls }
    }

    pub(super) fn problems(&self, found: &mut Problems) {
        self.thresholds().problems("breaker", found);
        for (class, own) in self.per_class.each() {
            own.problems(&format!("breaker.per_class.{}", class.name()), found);
        }
        found.length("breaker.window", self.window, 10 * MS, HOUR);
        found.length("breaker.cool_down", self.cool_down, MS, HOUR);
        found.length("breaker.cool_down_max", self.cool_down_max, self.cool_down, 24 * HOUR);
        found.share("breaker.jitter", self.jitter, 0.0);
        found.count("breaker.probes", self.probes.into(), 1, 1000);
        found.length("breaker.probe_lease", self.probe_lease, MS, HOUR);
        found.length("breaker.ramp", self.ramp, Duration::ZERO, HOUR);
    }
}

impl Thresholds {
    fn problems(&self, of: &str, found: &mut Problems) {
        found.count(&format!("{of}.failures"), self.failures.into(), 1, 1_000_000);
        found.share(&format!("{of}.failure_rate"), self.failure_rate, 0.001);
        found.share(&format!("{of}.slow_rate"), self.slow_rate, 0.001);
        found.count(&format!("{of}.min_calls"), self.min_calls.into(), 1, 1_000_000);
    }
}

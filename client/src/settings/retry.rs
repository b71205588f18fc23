//! Settings of retries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problems::Problems;
use super::{HOUR, MS, PerClass, length};
use crate::core::class::Class;

/// Retries of calls that failed for a reason that may pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrySettings {
    /// Attempts after the first.
    pub retries: u32,
    /// Upper bound of the first wait; it doubles with each attempt, and chance picks below it.
    #[serde(with = "length")]
    pub base: Duration,
    /// Upper bound of every wait.
    #[serde(with = "length")]
    pub cap: Duration,
    /// Retries that each call earns for the budget.
    pub budget_ratio: f64,
    /// Retries a second that are always allowed.
    pub budget_per_second: f64,
    /// Classes of calls that are tried again in a way of their own. The budget is everybody's.
    #[serde(skip_serializing_if = "PerClass::is_empty")]
    pub per_class: PerClass<Attempts>,
}

/// How often and how soon calls are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attempts {
    /// See [`RetrySettings::retries`].
    pub retries: u32,
    /// See [`RetrySettings::base`].
    #[serde(with = "length")]
    pub base: Duration,
    /// See [`RetrySettings::cap`].
    #[serde(with = "length")]
    pub cap: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        let Attempts { retries, base, cap } = Attempts::default();
        Self {
            retries,
            base,
            cap,
            budget_ratio: 0.2,
            budget_per_second: 10.0,
            per_class: PerClass::default(),
        }
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self { retries: 2, base: Duration::from_millis(100), cap: Duration::from_millis(500) }
    }
}

impl RetrySettings {
    /// How calls of a class are tried again.
    pub fn attempts(&self, class: Class) -> Attempts {
        let Self { retries, base, cap, .. } = *self;
        self.per_class.of(class).unwrap_or(Attempts { retries, base, cap })
    }

    pub(super) fn problems(&self, found: &mut Problems) {
        let Self { retries, base, cap, .. } = *self;
        Attempts { retries, base, cap }.problems("retry", found);
        for (class, own) in self.per_class.each() {
            own.problems(&format!("retry.per_class.{}", class.name()), found);
        }
        found.share("retry.budget_ratio", self.budget_ratio, 0.0);
        found.number("retry.budget_per_second", self.budget_per_second, 0.0, 1e6);
    }
}

impl Attempts {
    fn problems(&self, of: &str, found: &mut Problems) {
        found.count(&format!("{of}.retries"), self.retries.into(), 0, 100);
        found.length(&format!("{of}.base"), self.base, MS, HOUR);
        found.length(&format!("{of}.cap"), self.cap, self.base, HOUR);
    }
}

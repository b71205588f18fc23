//! Retries: whether to try a call again, and after how long a wait.
//!
//! A call that is known not to have been applied may be tried again whatever it does; one that may have been applied only if
//! applying it twice is the same as once. A budget bounds how much retries can add to the load when everything fails.

use std::time::Duration;

use super::time::Time;
use crate::settings::{Attempts, RetrySettings};

/// Tokens that retries cost, shared by all calls of a client.
#[derive(Debug)]
pub struct Budget {
    ratio: f64,
    per_second: f64,
    tokens: f64,
    filled: Time,
}

/// The retries of one call.
#[derive(Debug)]
pub struct Retries {
    left: u32,
    bound: Duration,
    cap: Duration,
    deadline: Time,
    repeatable: bool,
}

/// What failed, as far as retries care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The reason may pass.
    pub transient: bool,
    /// The call surely was not applied.
    pub definite: bool,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this wait.
    After(Duration),
    /// Give up.
    GiveUp(Reason),
}

/// Why a call is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The reason will not pass.
    Permanent,
    /// It may have been applied, and twice is not the same as once.
    NotRepeatable,
    /// Enough attempts were made.
    Exhausted,
    /// The wait would not end before the operation's deadline.
    Deadline,
    /// All calls together have retried enough for now.
    Budget,
}

impl Budget {
    /// A full budget: ten seconds' worth of what is always allowed.
    pub fn new(settings: &RetrySettings) -> Self {
        let (ratio, per_second) = (settings.budget_ratio, settings.budget_per_second);
        Self { ratio, per_second, tokens: per_second * 10.0, filled: Time::START }
    }

    /// Goes on with other settings, and with what is left.
    pub fn apply(&mut self, settings: &RetrySettings) {
        (self.ratio, self.per_second) = (settings.budget_ratio, settings.budget_per_second);
    }

    /// A call was made: it earns its share of a retry.
    pub fn earn(&mut self, now: Time) {
        self.fill(now, self.ratio);
    }

    fn spend(&mut self, now: Time) -> bool {
        self.fill(now, 0.0);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    fn fill(&mut self, now: Time, earned: f64) {
        let passed = now.since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        let most = (self.per_second * 10.0).max(10.0);
        self.tokens = (self.tokens + earned + passed * self.per_second).min(most);
    }
}

impl Retries {
    /// The retries of a call that must be over at `deadline`. `repeatable`: applying it twice is the same as once.
    pub fn new(attempts: Attempts, deadline: Time, repeatable: bool) -> Self {
        Self { left: attempts.retries, bound: attempts.base, cap: attempts.cap, deadline, repeatable }
    }

    /// What to do after a failure. `random`, from 0 to 1, picks the wait below its bound ("full jitter").
    pub fn after(&mut self, now: Time, failed: Failed, budget: &mut Budget, random: f64) -> Decision {
        if !failed.transient {
            return Decision::GiveUp(Reason::Permanent);
        }
        if !failed.definite && !self.repeatable {
            return Decision::GiveUp(Reason::NotRepeatable);
        }
        if self.left == 0 {
            return Decision::GiveUp(Reason::Exhausted);
        }
        let wait = self.bound.mul_f64(random.clamp(0.0, 1.0));
        if now + wait >= self.deadline {
            return Decision::GiveUp(Reason::Deadline);
        }
        if !budget.spend(now) {
            return Decision::GiveUp(Reason::Budget);
        }
        self.left -= 1;
        self.bound = self.bound.saturating_mul(2).min(self.cap);
        Decision::After(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::class::Class;

    const PASSING: Failed = Failed { transient: true, definite: true };

    fn settings() -> RetrySettings {
        RetrySettings {
            retries: 3,
            base: Duration::from_millis(100),
            cap: Duration::from_millis(300),
            ..Default::default()
        }
    }

    fn attempts() -> Attempts {
        settings().attempts(Class::Reads)
    }

    fn far() -> Time {
        Time::from_nanos(u64::MAX)
    }

    #[test]
    fn waits_double_up_to_the_cap_and_then_it_gives_up() {
        let (mut budget, mut retries) = (Budget::new(&settings()), Retries::new(attempts(), far(), true));
        let waits: Vec<_> = (0..4).map(|_| retries.after(Time::START, PASSING, &mut budget, 1.0)).collect();
        let after = |ms| Decision::After(Duration::from_millis(ms));
        assert_eq!(waits, [after(100), after(200), after(300), Decision::GiveUp(Reason::Exhausted)]);
    }

    #[test]
    fn chance_picks_any_wait_below_the_bound() {
        let (mut budget, mut retries) = (Budget::new(&settings()), Retries::new(attempts(), far(), true));
        assert_eq!(retries.after(Time::START, PASSING, &mut budget, 0.0), Decision::After(Duration::ZERO));
    }

    #[test]
    fn what_may_have_been_applied_is_repeated_only_if_that_does_no_harm() {
        let unknown = Failed { transient: true, definite: false };
        let mut budget = Budget::new(&settings());
        let mut once = Retries::new(attempts(), far(), false);
        assert_eq!(
            once.after(Time::START, unknown, &mut budget, 0.5),
            Decision::GiveUp(Reason::NotRepeatable)
        );
        assert_eq!(
            once.after(Time::START, PASSING, &mut budget, 0.5),
            Decision::After(Duration::from_millis(50))
        );
    }

    #[test]
    fn a_permanent_failure_is_never_repeated() {
        let permanent = Failed { transient: false, definite: true };
        let (mut budget, mut retries) = (Budget::new(&settings()), Retries::new(attempts(), far(), true));
        assert_eq!(
            retries.after(Time::START, permanent, &mut budget, 0.5),
            Decision::GiveUp(Reason::Permanent)
        );
    }

    #[test]
    fn no_wait_goes_past_the_deadline() {
        let deadline = Time::from_nanos(50_000_000);
        let (mut budget, mut retries) = (Budget::new(&settings()), Retries::new(attempts(), deadline, true));
        assert_eq!(retries.after(Time::START, PASSING, &mut budget, 1.0), Decision::GiveUp(Reason::Deadline));
    }

    #[test]
    fn the_budget_ends_and_fills_again() {
        let mean = RetrySettings { budget_per_second: 1.0, budget_ratio: 0.0, ..settings() };
        let mut budget = Budget::new(&mean);
        let spent = (0..100).filter(|_| budget.spend(Time::START)).count();
        assert_eq!(spent, 10);
        assert!(budget.spend(Time::from_nanos(1_000_000_000)));
        assert!(!budget.spend(Time::from_nanos(1_000_000_000)));
    }
}

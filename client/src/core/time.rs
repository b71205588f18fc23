//! Points in time, as a number: the sans-IO core takes them as arguments and never reads a clock.

use std::ops::Add;
use std::time::Duration;

/// How long since the process's [`Clock`](crate::Clock) was started. It never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The clock's start.
    pub const START: Self = Self(Duration::ZERO);

    /// A point so many nanoseconds after the clock's start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(Duration::from_nanos(nanos))
    }

    /// A point `elapsed` after the clock's start.
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Nanoseconds since the clock's start (584 years fit).
    pub fn as_nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }

    /// How long it is since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(length))
    }
}

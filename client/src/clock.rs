//! The one place that reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::core::time::Time;

const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A clock that never goes back. Its wall time is read once, when it starts, so a stepped system clock hurts nothing.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    epoch_unix_ms: u64,
}

impl Clock {
    /// A clock that starts now and calls this moment `epoch_unix_ms` (milliseconds since 1970). Under tokio's paused time it
    /// follows that.
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn new(epoch_unix_ms: u64) -> Self {
        Self { start: Instant::now(), epoch_unix_ms }
    }

    /// A clock that starts now, at the system's wall time.
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn system() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::new(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }

    /// How long since the start.
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn now(&self) -> Time {
        Time::after_start(Instant::now().duration_since(self.start))
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(&self) -> u64 {
        self.epoch_unix_ms.saturating_add(self.now().as_nanos() / 1_000_000)
    }

    /// The instant of `time`, for tokio's timers; of a time beyond all of them, one in 30 years.
    pub fn instant(&self, time: Time) -> Instant {
        let elapsed = time.since(Time::START);
        self.start.checked_add(elapsed).unwrap_or_else(|| self.start + FAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wall_time_goes_on_from_where_it_was_at_the_start() {
        let clock = Clock::new(1_000_000);
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(clock.now(), Time::from_nanos(1_500_000_000));
        assert_eq!(clock.unix_ms(), 1_001_500);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_beyond_every_timer_has_an_instant() {
        let clock = Clock::new(0);
        let never = clock.instant(Time::after_start(Duration::MAX));
        assert!(never > clock.instant(Time::from_nanos(1)));
    }
}

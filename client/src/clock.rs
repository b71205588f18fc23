//! The one place that reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::core::time::Time;

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

    /// The instant of `time`, for tokio's timers.
    pub fn instant(&self, time: Time) -> Instant {
        self.start + time.since(Time::START)
    }
}

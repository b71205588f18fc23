//! Calls, failures and slow calls over a sliding window of time, in buckets.

use std::time::Duration;

use super::time::Time;

const BUCKETS: usize = 10;

/// Counts over the last `length`, exact to a tenth of it.
#[derive(Clone, Debug)]
pub struct Window {
    bucket_nanos: u64,
    /// The number of the newest bucket since the clock's start.
    newest: u64,
    buckets: [Bucket; BUCKETS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    calls: u32,
    failures: u32,
    slow: u32,
}

/// What happened within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that ended.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that were slow.
    pub slow: u64,
}

impl Window {
    /// An empty window of `length`.
    pub fn new(length: Duration) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self {
            bucket_nanos: (nanos / BUCKETS as u64).max(1),
            newest: 0,
            buckets: [Bucket::default(); BUCKETS],
        }
    }

    /// Counts a call that ended at `now`.
    pub fn count(&mut self, now: Time, failed: bool, slow: bool) {
        self.slide(now);
        let bucket = &mut self.buckets[slot(self.newest)];
        bucket.calls = bucket.calls.saturating_add(1);
        bucket.failures = bucket.failures.saturating_add(u32::from(failed));
        bucket.slow = bucket.slow.saturating_add(u32::from(slow));
    }

    /// What happened in the window that ends at `now`.
    pub fn totals(&mut self, now: Time) -> Totals {
        self.slide(now);
        let sum = |of: fn(&Bucket) -> u32| self.buckets.iter().map(|bucket| u64::from(of(bucket))).sum();
        Totals {
            calls: sum(|bucket| bucket.calls),
            failures: sum(|bucket| bucket.failures),
            slow: sum(|bucket| bucket.slow),
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets = [Bucket::default(); BUCKETS];
    }

    fn slide(&mut self, now: Time) {
        let current = now.as_nanos() / self.bucket_nanos;
        let passed = current.saturating_sub(self.newest).min(BUCKETS as u64);
        for step in 1..=passed {
            self.buckets[slot(current - passed + step)] = Bucket::default();
        }
        self.newest = self.newest.max(current);
    }
}

fn slot(bucket: u64) -> usize {
    // The remainder is below BUCKETS, so it fits.
    usize::try_from(bucket % BUCKETS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn totals(calls: u64, failures: u64) -> Totals {
        Totals { calls, failures, slow: failures }
    }

    #[test]
    fn calls_leave_the_window_when_it_has_passed() {
        let mut window = Window::new(Duration::from_secs(1));
        window.count(at(0), true, true);
        window.count(at(500), false, false);
        assert_eq!(window.totals(at(900)), totals(2, 1));
        assert_eq!(window.totals(at(1000)), totals(1, 0));
        assert_eq!(window.totals(at(1500)), totals(0, 0));
    }

    #[test]
    fn a_long_silence_empties_it() {
        let mut window = Window::new(Duration::from_secs(1));
        window.count(at(100), true, true);
        assert_eq!(window.totals(at(3_600_000)), totals(0, 0));
    }

    #[test]
    fn time_that_goes_back_a_little_is_counted_in_the_newest_bucket() {
        let mut window = Window::new(Duration::from_secs(1));
        window.count(at(500), true, true);
        window.count(at(450), true, true);
        assert_eq!(window.totals(at(500)), totals(2, 2));
    }
}

//! Whether the callers suffer from what is done in the background: how long their calls take lately, against how long they take
//! when nothing is brought to Redis.

use std::time::Duration;

/// Two moving averages of how long calls take. Chance has less of a say in them than in a quantile of the few calls that there
/// are between two batches.
#[derive(Clone, Debug, Default)]
pub struct Foreground {
    calm: f64,
    lately: f64,
    calls: u32,
    /// Calls since it was last asked whether they suffer.
    since: u32,
}

impl Foreground {
    /// A call took so long; `busy`: while something was brought to Redis.
    pub fn took(&mut self, took: Duration, busy: bool) {
        let took = took.as_secs_f64();
        if self.calls == 0 {
            (self.calm, self.lately) = (took, took);
        }
        self.calls = self.calls.saturating_add(1);
        self.since = self.since.saturating_add(1);
        self.lately += (took - self.lately) * LATELY;
        // What is slow for other reasons becomes what is usual, in time.
        self.calm += (took - self.calm) * if busy { CALM / 10.0 } else { CALM };
    }

    /// Whether calls take far longer than they do when nothing is brought. Where there were none since this was asked last,
    /// nobody suffers.
    pub fn suffers(&mut self) -> bool {
        if std::mem::take(&mut self.since) == 0 {
            self.lately = self.calm;
        }
        self.calls >= ENOUGH && self.lately > 2.0 * self.calm + SLACK_S
    }
}

/// The share of the newest call in each average: of the last 20 calls, and of the last 1000.
const LATELY: f64 = 0.05;
const CALM: f64 = 0.001;
/// Calls from which on there is something to compare with.
const ENOUGH: u32 = 100;
/// What nobody notices, in seconds.
const SLACK_S: f64 = 0.002;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn after(calls: impl IntoIterator<Item = (u32, bool)>) -> bool {
        let mut foreground = Foreground::default();
        (0..1000).for_each(|_| foreground.took(MS, false));
        calls.into_iter().for_each(|(took, busy)| foreground.took(took * MS, busy));
        foreground.suffers()
    }

    #[test]
    fn calls_that_take_far_longer_while_something_is_brought_are_noticed() {
        assert!(!after([]));
        assert!(after([(10, true); 20]));
        assert!(!after([(2, true); 1000]), "what nobody notices is none");
    }

    #[test]
    fn one_slow_call_is_none_and_the_trouble_passes() {
        assert!(!after([(50, true)]));
        assert!(!after([(10, true); 20].into_iter().chain([(1, true); 100])));
    }

    #[test]
    fn without_calls_nobody_suffers() {
        let mut foreground = Foreground::default();
        (0..1000).for_each(|_| foreground.took(MS, false));
        (0..20).for_each(|_| foreground.took(10 * MS, true));
        assert_eq!([foreground.suffers(), foreground.suffers()], [true, false]);
    }

    #[test]
    fn a_redis_that_is_always_slow_is_no_reason_to_wait() {
        assert!(!after([(20, false); 5000]));
    }

    #[test]
    fn the_first_calls_say_nothing() {
        let mut foreground = Foreground::default();
        foreground.took(MS, false);
        (1..ENOUGH - 1).for_each(|_| foreground.took(50 * MS, true));
        assert!(!foreground.suffers());
    }
}

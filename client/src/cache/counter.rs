//! One counter: what it is known to stand at, and what Redis still has to be told. Pure.
//!
//! What is to be counted is gathered until it is sent. From then on it has a number and stays as it is, until Redis has said
//! that it counted it: so it can be told again, and counts once.

use std::time::Duration;

use crate::core::time::Time;

/// A counter as one instance knows it.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// What it stood at, as far as Redis said.
    known: i64,
    /// Until when that holds; `None` for ever.
    known_until: Option<Time>,
    /// What was asked for since, and not sent.
    unsent: Option<Sum>,
    /// What was sent, and not yet answered.
    sent: Option<Delta>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sum {
    by: i64,
    /// When the counter ends that it belongs to; `None` for never.
    ends: Option<Time>,
}

/// What is told to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delta {
    /// Its number, as digits that only grow.
    pub(super) number: String,
    /// By how much.
    pub(super) by: i64,
    /// When the counter ends that it belongs to; `None` for never.
    pub(super) ends: Option<Time>,
    /// Whether Redis may have been told already.
    told: bool,
}

impl Counter {
    /// Counts. `false` if the sum is more than 64 bits hold: then nothing was counted.
    pub(super) fn add(&mut self, now: Time, by: i64, ttl: Option<Duration>) -> bool {
        self.forget(now);
        let sum = self.unsent.unwrap_or(Sum { by: 0, ends: ttl.map(|ttl| now + ttl) });
        let Some(total) = sum.by.checked_add(by) else { return false };
        self.unsent = Some(Sum { by: total, ..sum });
        true
    }

    /// Takes back what was [added](Self::add) last and surely not counted.
    pub(super) fn take_back(&mut self, by: i64) {
        if let Some(sum) = &mut self.unsent {
            sum.by = sum.by.saturating_sub(by);
            if sum.by == 0 {
                self.unsent = None;
            }
        }
    }

    /// What Redis is to be told next. `number` gives the next number.
    pub(super) fn next(&mut self, now: Time, number: impl FnOnce() -> String) -> Option<Delta> {
        self.forget(now);
        if self.sent.is_none() {
            let Sum { by, ends } = self.unsent.take()?;
            self.sent = Some(Delta { number: number(), by, ends, told: false });
        }
        self.sent.clone()
    }

    /// Redis has counted what was sent, and stands at `count` for so long.
    pub(super) fn counted(&mut self, now: Time, count: i64, left: Option<Duration>) {
        self.sent = None;
        self.known = count;
        self.known_until = left.map(|left| now + left);
    }

    /// Redis surely was not told this time: unless it may have been before, what was sent is gathered again.
    pub(super) fn not_told(&mut self) {
        let Some(delta) = self.sent.take() else { return };
        if delta.told {
            self.sent = Some(delta);
            return;
        }
        let ends = self.unsent.map_or(delta.ends, |sum| sum.ends);
        let by = self.unsent.map_or(0, |sum| sum.by).saturating_add(delta.by);
        self.unsent = Some(Sum { by, ends });
    }

    /// Redis may have been told, or not.
    pub(super) fn perhaps_told(&mut self) {
        if let Some(delta) = &mut self.sent {
            delta.told = true;
        }
    }

    /// Redis will never count what was sent.
    pub(super) fn give_up(&mut self) {
        self.sent = None;
    }

    /// What it stands at, as far as is known here, and what is left of its time.
    pub(super) fn estimate(&mut self, now: Time) -> (i64, Option<Duration>) {
        self.forget(now);
        let sent = self.sent.as_ref().map(|delta| (delta.by, delta.ends));
        let unsent = self.unsent.map(|sum| (sum.by, sum.ends));
        let value =
            [sent, unsent].into_iter().flatten().fold(self.known, |sum, (by, _)| sum.saturating_add(by));
        let begun = sent.or(unsent).and_then(|(_, ends)| ends);
        (value, self.known_until.or(begun).map(|until| until.since(now)))
    }

    /// Whether Redis lacks something.
    pub(super) fn waits(&self) -> bool {
        self.unsent.is_some() || self.sent.is_some()
    }

    /// Forgets what belonged to a counter whose time is over.
    fn forget(&mut self, now: Time) {
        let over = |ends: Option<Time>| ends.is_some_and(|ends| ends <= now);
        if over(self.known_until) {
            (self.known, self.known_until) = (0, None);
        }
        self.unsent = self.unsent.filter(|sum| !over(sum.ends));
        self.sent = self.sent.take().filter(|delta| !over(delta.ends));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    fn send(counter: &mut Counter, now: u64, number: &str) -> Option<(String, i64)> {
        counter.next(at(now), || number.to_owned()).map(|delta| (delta.number, delta.by))
    }

    #[test]
    fn what_may_have_been_told_is_told_again_as_it_was() {
        let mut counter = Counter::default();
        assert!(counter.add(at(0), 2, None));
        assert_eq!(send(&mut counter, 0, "1"), Some(("1".to_owned(), 2)));
        counter.perhaps_told();
        assert!(counter.add(at(0), 3, None));
        counter.not_told();
        assert_eq!(
            send(&mut counter, 0, "2"),
            Some(("1".to_owned(), 2)),
            "an earlier attempt may have counted it"
        );
        counter.counted(at(0), 2, None);
        assert_eq!(send(&mut counter, 0, "2"), Some(("2".to_owned(), 3)));
        counter.counted(at(0), 5, None);
        assert_eq!(
            (send(&mut counter, 0, "3"), counter.estimate(at(0)).0, counter.waits()),
            (None, 5, false)
        );
    }

    #[test]
    fn what_surely_was_not_told_is_gathered() {
        let mut counter = Counter::default();
        counter.add(at(0), 2, None);
        send(&mut counter, 0, "1");
        counter.not_told();
        counter.add(at(0), 3, None);
        assert_eq!(send(&mut counter, 0, "2"), Some(("2".to_owned(), 5)));
        counter.not_told();
        counter.take_back(3);
        assert_eq!(counter.estimate(at(0)).0, 2);
    }

    #[test]
    fn what_belongs_to_a_counter_whose_time_is_over_is_forgotten() {
        let mut counter = Counter::default();
        counter.add(at(0), 2, Some(10 * SECOND));
        counter.add(at(5), 1, Some(10 * SECOND));
        assert_eq!(counter.estimate(at(9)), (3, Some(SECOND)));
        assert_eq!(counter.estimate(at(10)), (0, None));
        counter.add(at(10), 1, Some(10 * SECOND));
        counter.next(at(10), || "1".to_owned());
        counter.perhaps_told();
        assert_eq!((send(&mut counter, 20, "2"), counter.waits()), (None, false));
        counter.counted(at(20), 7, Some(SECOND));
        assert_eq!((counter.estimate(at(20)), counter.estimate(at(21))), ((7, Some(SECOND)), (0, None)));
    }

    #[test]
    fn a_sum_that_does_not_fit_is_refused() {
        let mut counter = Counter::default();
        assert!(counter.add(at(0), i64::MAX, None));
        assert!(!counter.add(at(0), 1, None));
        assert_eq!(counter.estimate(at(0)).0, i64::MAX);
    }
}

//! How users' operations come back to Redis after an outage: few at first, then more, then all.
//!
//! A Redis that is just back is cold, and all at once may be more than it bears. So one operation in a hundred goes to it in the
//! first third of the ramp, one in ten in the second, every other in the last.

use std::time::Duration;

use super::time::Time;

/// Operations in a hundred that go to Redis, in each third.
const PERCENT: [u32; 3] = [1, 10, 50];

/// Which operations go to Redis. Time is an argument; chance has no part.
#[derive(Debug, Default)]
pub struct Ramp {
    /// When Redis was back; `None` when no ramp has begun.
    since: Option<Time>,
    /// What has been saved up for the next operation, in hundredths of one.
    saved: u32,
}

impl Ramp {
    /// Redis is back.
    pub fn begin(&mut self, now: Time) {
        // The first one goes to it.
        (self.since, self.saved) = (Some(now), 100);
    }

    /// Redis is away again, or wanted in full.
    pub fn end(&mut self) {
        self.since = None;
    }

    /// Whether the next operation goes to Redis, where a ramp lasts for `lasts`.
    pub fn admits(&mut self, now: Time, lasts: Duration) -> bool {
        let Some(percent) = self.since.and_then(|since| percent(now.since(since), lasts)) else {
            self.since = None;
            return true;
        };
        self.saved = (self.saved + percent).min(100 + percent);
        let admitted = self.saved >= 100;
        if admitted {
            self.saved -= 100;
        }
        admitted
    }
}

/// How many in a hundred, so long after the beginning; `None` when the ramp is over.
fn percent(passed: Duration, lasts: Duration) -> Option<u32> {
    if passed >= lasts {
        return None;
    }
    let third = passed.as_nanos().saturating_mul(3) / lasts.as_nanos().max(1);
    usize::try_from(third).ok().and_then(|third| PERCENT.get(third).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(3);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn one_in_a_hundred_goes_first_then_one_in_ten_then_every_other_then_all() {
        let mut ramp = Ramp::default();
        assert!(ramp.admits(at(0), LASTS), "there was no outage");
        ramp.begin(at(1000));
        let mut admitted = |from: u64, to: u64| (from..to).filter(|ms| ramp.admits(at(*ms), LASTS)).count();
        // The first of all goes at once.
        assert_eq!(admitted(1000, 2000), 11);
        assert_eq!(admitted(2000, 3000), 100);
        assert_eq!(admitted(3000, 4000), 500);
        assert_eq!(admitted(4000, 5000), 1000);
    }

    #[test]
    fn an_outage_ends_it_and_the_next_return_begins_it_anew() {
        let mut ramp = Ramp::default();
        ramp.begin(at(0));
        assert!(ramp.admits(at(1), LASTS) && !ramp.admits(at(2), LASTS));
        ramp.end();
        assert!(ramp.admits(at(3), LASTS), "the breaker decides now");
        ramp.begin(at(10_000));
        assert!(ramp.admits(at(10_001), LASTS) && !ramp.admits(at(10_002), LASTS));
    }

    #[test]
    fn a_ramp_of_no_length_lets_all_through() {
        let mut ramp = Ramp::default();
        ramp.begin(at(5));
        assert!((5..100).all(|ms| ramp.admits(at(ms), Duration::ZERO)));
    }
}

//! Decides from how many keys Redis has evicted when to bring everything to it again.
//!
//! Which keys went, Redis does not say, and what nobody uses would stay missing. While it goes on evicting, bringing more would
//! only push out something else: so everything is brought once it has stopped, and after a longer calm each time that this made
//! it evict again.

use std::time::Duration;

use super::time::Time;

/// What is known of Redis's evictions. Time is an argument.
#[derive(Clone, Debug)]
pub struct Evictions {
    evicted: u64,
    /// Something went that was not brought again, and when the last of it was noticed.
    missing_since: Option<Time>,
    brought: Option<Time>,
    /// How long there must be none before everything is brought.
    calm: Duration,
    /// When Redis last refused to say.
    refused: Option<Time>,
}

impl Default for Evictions {
    fn default() -> Self {
        Self { evicted: 0, missing_since: None, brought: None, calm: CALM_MIN, refused: None }
    }
}

impl Evictions {
    /// Whether to ask Redis how many. A user who may not know is told so, and asks again after long.
    pub fn due(&self, now: Time) -> bool {
        self.refused.is_none_or(|at| now.since(at) >= REFUSED_WAIT)
    }

    /// Redis refuses to say.
    pub fn refused(&mut self, now: Time) {
        self.refused = Some(now);
    }

    /// Redis says that it has evicted so many keys since it started. Returns whether to bring everything now.
    pub fn counted(&mut self, now: Time, evicted: u64) -> bool {
        let before = std::mem::replace(&mut self.evicted, evicted);
        // Less than before: another count has begun.
        let more = evicted > before || (evicted < before && evicted > 0);
        if more {
            self.missing_since = Some(now);
            if self.brought.take().is_some() {
                self.calm = self.calm.saturating_mul(2).min(CALM_MAX);
            }
            return false;
        }
        if self.brought.is_some_and(|brought| now.since(brought) >= self.calm.saturating_mul(2)) {
            self.calm = CALM_MIN;
        }
        if self.missing_since.is_none_or(|since| now.since(since) < self.calm) {
            return false;
        }
        self.missing_since = None;
        self.brought = Some(now);
        true
    }
}

/// The calm that the first evictions ask for.
const CALM_MIN: Duration = Duration::from_millis(500);
/// The longest calm that is asked for.
const CALM_MAX: Duration = Duration::from_secs(64);

/// How long a user who may not know waits.
const REFUSED_WAIT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts a second apart; returns at which everything was to be brought.
    fn brought_at(counts: impl IntoIterator<Item = u64>) -> Vec<usize> {
        let mut evictions = Evictions::default();
        let at = |second: usize| Time::START + Duration::from_secs(second as u64);
        let brought = counts.into_iter().enumerate();
        brought
            .filter(|(second, count)| evictions.counted(at(*second), *count))
            .map(|(second, _)| second)
            .collect()
    }

    #[test]
    fn a_redis_that_evicts_nothing_is_brought_nothing() {
        assert!(brought_at([0; 100]).is_empty());
    }

    #[test]
    fn everything_is_brought_once_when_the_evictions_have_stopped() {
        assert_eq!(brought_at([0, 5, 9, 30, 30, 30, 30]), [4]);
    }

    #[test]
    fn what_was_evicted_before_the_first_look_counts() {
        assert_eq!(brought_at([5, 5, 5]), [1]);
    }

    #[test]
    fn while_it_evicts_nothing_is_brought() {
        assert!(brought_at(1..1000).is_empty());
    }

    #[test]
    fn bringing_that_evicts_again_is_repeated_more_and_more_seldom() {
        let mut evictions = Evictions::default();
        let (mut count, mut brought) = (1, Vec::new());
        for second in 0..1000 {
            if evictions.counted(Time::START + Duration::from_secs(second), count) {
                brought.push(second);
                count += 1;
            }
        }
        assert!(brought.len() < 25, "{brought:?}");
        let gaps: Vec<u64> = brought.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted() && gaps.last() == Some(&65), "{gaps:?}");
    }

    #[test]
    fn after_a_long_calm_it_is_quick_again() {
        let counts = [1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3];
        assert_eq!(brought_at(counts), [1, 3, 9]);
    }

    #[test]
    fn a_user_who_may_not_know_asks_seldom() {
        let mut evictions = Evictions::default();
        let at = |second| Time::START + Duration::from_secs(second);
        let asked = (0..3600).filter(|second| {
            let due = evictions.due(at(*second));
            if due {
                evictions.refused(at(*second));
            }
            due
        });
        assert_eq!(asked.count(), 6);
    }

    #[test]
    fn a_count_that_began_anew_is_compared_with_nothing() {
        assert_eq!(brought_at([9, 9, 0, 0, 0]), [1]);
        assert_eq!(brought_at([9, 9, 4, 4, 4]), [1, 3]);
    }
}

//! What time it is at Redis, from replies that carry its time.
//!
//! Each reply with Redis's TIME says that at some moment between sending and receiving it was that late there (Cristian's
//! algorithm), so the estimate is wrong by at most half the round trip. The best sample stands; it grows worse with age, because
//! clocks drift, until a newer one is better. One that contradicts it means that Redis's clock changed, or that a byte of the reply
//! did: it is taken when the next one says the same.

use std::time::Duration;

use super::time::Time;

/// An estimate of Redis's clock.
#[derive(Clone, Debug)]
pub struct ServerClock {
    /// Redis's time at this process's [`Time::START`], in microseconds since 1970.
    start_us: i64,
    best: Option<Best>,
    /// What the last sample said, if it contradicted the estimate.
    contradiction: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Best {
    at: Time,
    half_round_trip: Duration,
}

impl ServerClock {
    /// A clock that knows only the local wall time (milliseconds since 1970 at `now`).
    pub fn new(now: Time, local_unix_ms: u64) -> Self {
        let start_us = i64::try_from(local_unix_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        Self { start_us: start_us.saturating_sub(micros(now)), best: None, contradiction: None }
    }

    /// Whether Redis was ever asked. Until then the local wall clock stands in.
    pub fn synchronised(&self) -> bool {
        self.best.is_some()
    }

    /// What time it is at Redis, in milliseconds since 1970.
    pub fn unix_ms(&self, now: Time) -> u64 {
        u64::try_from(self.start_us.saturating_add(micros(now)) / 1000).unwrap_or(0)
    }

    /// By how much the estimate may be wrong; nothing is known before the first sample.
    pub fn error(&self, now: Time) -> Option<Duration> {
        self.best.map(|best| best.half_round_trip + now.since(best.at) / DRIFT_DIVISOR)
    }

    /// When something ends that is to live for `ttl` from `now` on, in milliseconds since 1970 at Redis. It takes the early end of
    /// the estimate, so Redis does not keep it longer than for `ttl`, unless the error is more than half of `ttl`: half is left.
    pub fn end_of(&self, now: Time, ttl: Duration) -> u64 {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.unix_ms(now).saturating_add(ttl - self.error_ms(now).min(ttl / 2))
    }

    /// The error in whole milliseconds, not less than it is; none before the first sample.
    pub fn error_ms(&self, now: Time) -> u64 {
        let error = self.error(now).unwrap_or_default();
        u64::try_from(error.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
    }

    /// Takes a reply, sent and received then, that carried Redis's time in microseconds since 1970. Says by how many
    /// milliseconds the estimate moved, rounded down.
    pub fn sample(&mut self, sent: Time, received: Time, server_us: u64) -> i64 {
        let half_round_trip = received.since(sent) / 2;
        let server_us = i64::try_from(server_us).unwrap_or(i64::MAX);
        let start_us = server_us.saturating_sub(micros(sent + half_round_trip));
        let moved_us = start_us.saturating_sub(self.start_us);
        if let Some(error) = self.error(received) {
            let contradicts = Duration::from_micros(moved_us.unsigned_abs()) > error + half_round_trip;
            let before = self.contradiction.take();
            if contradicts && !before.is_some_and(|before| agree(before, start_us, half_round_trip)) {
                self.contradiction = Some(start_us);
                return 0;
            }
            if half_round_trip >= error && !contradicts {
                return 0;
            }
        }
        self.start_us = start_us;
        self.best = Some(Best { at: received, half_round_trip });
        moved_us.div_euclid(1000)
    }
}

/// Whether two samples say the same, of which the second took so long for half its way.
fn agree(before: i64, now: i64, half_round_trip: Duration) -> bool {
    Duration::from_micros(before.abs_diff(now)) <= half_round_trip + AGREE_WITHIN
}

/// How far two samples of one clock may be apart, beside what the second one's way explains.
const AGREE_WITHIN: Duration = Duration::from_millis(100);

fn micros(time: Time) -> i64 {
    i64::try_from(time.as_nanos() / 1000).unwrap_or(i64::MAX)
}

/// A drift of 100 ppm, of two clocks together: what cheap quartz does.
const DRIFT_DIVISOR: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn before_the_first_sample_the_local_clock_stands_in() {
        let clock = ServerClock::new(ms(5), 1_000_000);
        assert!(!clock.synchronised());
        assert_eq!(clock.unix_ms(ms(25)), 1_000_020);
    }

    #[test]
    fn the_first_sample_moves_it_by_the_difference() {
        let mut clock = ServerClock::new(ms(0), 1_000_000);
        assert_eq!(clock.sample(ms(10), ms(12), 1_005_011_000), 5_000);
        assert_eq!(clock.unix_ms(ms(12)), 1_005_012);
    }

    #[test]
    fn what_is_given_a_time_to_live_never_has_more_of_it_wherever_within_its_error_the_clock_is() {
        let second = Duration::from_secs(1);
        for late_us in [0, 1, 499, 1000, 3999, 4000] {
            let mut clock = ServerClock::new(ms(0), 7);
            // Redis said its time at any moment between sending and receiving, 4 ms apart.
            clock.sample(ms(10), ms(14), 1_000_010_000 + late_us);
            for at in [14, 15, 1_000] {
                let left_us = clock.end_of(ms(at), second) * 1000 - (1_000_000_000 + at * 1000);
                assert!((994_000..=1_000_000).contains(&left_us), "{late_us} {at}: {left_us}");
            }
        }
    }

    #[test]
    fn an_estimate_that_grew_old_leaves_half_of_a_short_time_to_live() {
        let mut clock = ServerClock::new(ms(0), 0);
        assert_eq!(clock.end_of(ms(0), Duration::from_millis(1)), 1, "nothing is known");
        clock.sample(ms(0), ms(0), 1_000_000_000);
        // After 100,000 s the clocks may be 10 s apart.
        let (then, begun) = (ms(100_000_000), 1_000_000 + 100_000_000);
        assert_eq!(clock.end_of(then, Duration::from_millis(60_000)), begun + 50_000);
        assert_eq!(clock.end_of(then, Duration::from_millis(300)), begun + 150);
        assert_eq!(clock.end_of(then, Duration::from_millis(1)), begun + 1);
        assert_eq!(clock.end_of(then, Duration::MAX), u64::MAX);
    }

    #[test]
    fn a_slow_reply_does_not_spoil_a_good_estimate() {
        let mut clock = ServerClock::new(ms(0), 0);
        clock.sample(ms(10), ms(12), 1_000_011_000);
        // 400 ms there, nothing back: half the round trip is wrong by 200 ms.
        assert_eq!(clock.sample(ms(100), ms(500), 1_000_500_000), 0);
        assert_eq!(clock.unix_ms(ms(500)), 1_000_500);
    }

    #[test]
    fn an_old_estimate_gives_way_to_a_fresh_one() {
        let mut clock = ServerClock::new(ms(0), 0);
        clock.sample(ms(0), ms(0), 1_000_000_000);
        // After 100 s the clocks may have drifted apart by 10 ms.
        assert_eq!(clock.sample(ms(100_000), ms(100_004), 1_100_008_000), 6);
    }

    #[test]
    fn a_redis_with_another_clock_is_believed_when_it_says_so_twice() {
        let mut clock = ServerClock::new(ms(0), 0);
        clock.sample(ms(0), ms(1), 1_000_000_000);
        assert_eq!(clock.sample(ms(1000), ms(1002), 1_061_001_000), 0);
        assert_eq!(clock.sample(ms(2000), ms(2002), 1_062_001_000), 60_000);
        assert_eq!(clock.unix_ms(ms(2002)), 1_062_002);
    }

    #[test]
    fn one_reply_that_says_something_else_changes_nothing() {
        let mut clock = ServerClock::new(ms(0), 0);
        clock.sample(ms(0), ms(2), 1_000_001_000);
        // A damaged digit, a right one, and another damaged one.
        assert_eq!(clock.sample(ms(1000), ms(1002), 1_031_001_000), 0);
        assert_eq!(clock.sample(ms(2000), ms(2002), 1_002_001_000), 0);
        assert_eq!(clock.sample(ms(3000), ms(3002), 1_033_001_000), 0);
        assert_eq!(clock.sample(ms(4000), ms(4002), 1_904_001_000), 0);
        assert_eq!(clock.unix_ms(ms(4002)), 1_004_002);
    }
}

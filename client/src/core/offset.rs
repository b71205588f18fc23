//! How far Redis's clock is from ours, so that expiries and versions speak in Redis's time.

use std::time::Duration;

use super::time::Time;

/// After this long a measurement gives way to a newer one, however exact it was: clocks drift apart.
const STALE_AFTER: Duration = Duration::from_secs(600);

/// The best measurement so far of how far Redis's clock is ahead of ours.
#[derive(Debug, Default)]
pub struct Offset {
    best: Option<Measurement>,
}

#[derive(Clone, Copy, Debug)]
struct Measurement {
    ahead_ms: i64,
    round_trip: Duration,
    taken: Time,
}

impl Offset {
    /// Redis said `theirs` (milliseconds since 1970) between `asked` and `answered`, when our clock said `ours` at `answered`.
    /// The shorter the round trip, the more exact.
    pub fn measure(&mut self, theirs: u64, ours: u64, asked: Time, answered: Time) {
        let round_trip = answered.since(asked);
        let half = i64::try_from(round_trip.as_millis() / 2).unwrap_or(i64::MAX);
        let midpoint = signed(ours).saturating_sub(half);
        let new =
            Measurement { ahead_ms: signed(theirs).saturating_sub(midpoint), round_trip, taken: answered };
        let better = self
            .best
            .is_none_or(|best| new.round_trip <= best.round_trip || answered.since(best.taken) > STALE_AFTER);
        if better {
            self.best = Some(new);
        }
    }

    /// What Redis's clock says when ours says `ours`; the same as long as nothing was measured.
    pub fn theirs(&self, ours: u64) -> u64 {
        let ahead = self.best.map_or(0, |best| best.ahead_ms);
        u64::try_from(signed(ours).saturating_add(ahead)).unwrap_or(0)
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_shorter_round_trip_wins() {
        let mut offset = Offset::default();
        assert_eq!(offset.theirs(1000), 1000);
        offset.measure(5_100, 1_200, at(0), at(200));
        assert_eq!(offset.theirs(0), 4_000);
        offset.measure(5_300, 1_250, at(240), at(250));
        assert_eq!(offset.theirs(0), 4_055);
        offset.measure(9_000, 1_400, at(300), at(400));
        assert_eq!(offset.theirs(0), 4_055);
    }

    #[test]
    fn an_old_measurement_gives_way() {
        let mut offset = Offset::default();
        offset.measure(1_000, 1_000, at(0), at(0));
        offset.measure(702_000, 701_000, at(700_800), at(701_000));
        assert_eq!(offset.theirs(0), 1_100);
    }
}

//! Commands in the last second, for `INFO`.

const SECOND: u64 = 1_000_000;

/// Counts commands in ten windows of a tenth of a second each, by the time that comes with every command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    windows: [u64; Self::WINDOWS as usize],
    /// The number of the newest window since 1970.
    newest: u64,
}

impl Pace {
    const WINDOWS: u64 = 10;

    /// One more at `now`, in microseconds since 1970.
    pub(crate) fn count(&mut self, now: u64) {
        self.forget(now);
        self.windows[Self::place(self.newest)] += 1;
    }

    /// How many there were in the second before `now`.
    pub(crate) fn per_second(mut self, now: u64) -> u64 {
        self.forget(now);
        self.windows.iter().sum()
    }

    /// Empties the windows that are over by now.
    fn forget(&mut self, now: u64) {
        // A clock that goes back counts into the newest window.
        let window = (now / (SECOND / Self::WINDOWS)).max(self.newest);
        let over = (window - self.newest).min(Self::WINDOWS);
        for back in 0..over {
            self.windows[Self::place(window - back)] = 0;
        }
        self.newest = window;
    }

    fn place(window: u64) -> usize {
        usize::try_from(window % Self::WINDOWS).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_more_than_a_second_ago_counts_no_more() {
        let mut pace = Pace::default();
        let start = 1_700_000_000 * SECOND;
        for command in 0..40 {
            pace.count(start + command * SECOND / 20);
        }
        let last = start + 39 * SECOND / 20;
        assert_eq!(pace.per_second(last), 20);
        assert_eq!(pace.per_second(last + SECOND / 2), 10);
        assert_eq!(pace.per_second(last + SECOND), 0);
        assert_eq!(Pace::default().per_second(start), 0);
    }

    #[test]
    fn a_clock_that_goes_back_harms_nothing() {
        let mut pace = Pace::default();
        pace.count(SECOND * 100);
        pace.count(SECOND * 50);
        assert_eq!(pace.per_second(SECOND * 50), 2);
    }
}

//! How long to wait before the next connection is opened, after trouble with the last ones.
//!
//! Opening a connection is no proof that the trouble is over: a demoted primary lets every client in, and so does a Redis
//! that ends each connection at its first command. So only time without trouble makes the waits short again.

use std::time::Duration;

use super::time::Time;

/// The first wait, before chance halves it at most.
const BASE: Duration = Duration::from_millis(10);

/// The longest wait.
const CAP: Duration = Duration::from_millis(500);

/// So long without trouble, and the waits start small again. A connection that lives shorter was trouble too.
pub const CALM: Duration = Duration::from_secs(5);

/// The waits between connections. Time and randomness are arguments.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    troubles: u32,
    last: Time,
    ready: Time,
}

impl Backoff {
    /// A connection could not be opened, or did not live for long. `random` is from 0 to 1.
    pub fn trouble(&mut self, now: Time, random: f64) {
        if now.since(self.last) >= CALM {
            self.troubles = 0;
        }
        let bound = BASE.saturating_mul(1 << self.troubles.min(16)).min(CAP);
        self.troubles = self.troubles.saturating_add(1);
        self.last = now;
        self.ready = now + bound.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0));
    }

    /// How long to wait from `now` on before the next connection is opened.
    pub fn wait(&self, now: Time) -> Duration {
        self.ready.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn waits_double_up_to_the_cap_while_trouble_goes_on() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8)
            .map(|_| {
                backoff.trouble(at(0), 1.0);
                backoff.wait(at(0)).as_millis()
            })
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 500, 500]);
    }

    #[test]
    fn chance_shortens_a_wait_by_half_at_most() {
        let mut backoff = Backoff::default();
        backoff.trouble(at(0), 0.0);
        assert_eq!(backoff.wait(at(0)), Duration::from_millis(5));
        assert_eq!(backoff.wait(at(5)), Duration::ZERO);
    }

    #[test]
    fn only_time_without_trouble_makes_them_small_again() {
        let mut backoff = Backoff::default();
        (0..5).for_each(|_| backoff.trouble(at(0), 1.0));
        backoff.trouble(at(4_999), 1.0);
        assert_eq!(backoff.wait(at(4_999)), Duration::from_millis(320));
        backoff.trouble(at(10_000), 1.0);
        assert_eq!(backoff.wait(at(10_000)), Duration::from_millis(10));
    }
}

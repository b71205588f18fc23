//! Tells a connection that has died silently from a Redis that was slow once.
//!
//! A dead connection gives no error: its requests just stay unanswered, and the kernel may try for a quarter of an hour. So a
//! connection is given up when so many replies in a row did not come in time, or when callers without patience have together
//! waited as long as that for any sign of life.

use std::time::Duration;

use super::time::Time;

/// What is known of one connection. Time is an argument.
#[derive(Clone, Debug)]
pub struct Health {
    timeout: Duration,
    drop_after_timeouts: u32,
    last_reply: Time,
    unanswered: Option<Unanswered>,
}

/// Calls whose reply nobody awaits any longer, since the last reply.
#[derive(Clone, Copy, Debug)]
struct Unanswered {
    /// From when on there was no sign of life though one was awaited.
    since: Time,
    /// Up to when the waiting is counted.
    until: Time,
    waited: Duration,
    timeouts: u32,
}

impl Health {
    /// A connection that has just answered. It is to be given up after so many replies in a row that did not come in
    /// `timeout`.
    pub fn new(now: Time, timeout: Duration, drop_after_timeouts: u32) -> Self {
        Self { timeout, drop_after_timeouts, last_reply: now, unanswered: None }
    }

    /// A reply came.
    pub fn replied(&mut self, now: Time) {
        self.last_reply = self.last_reply.max(now);
        self.unanswered = None;
    }

    /// Nobody awaits the reply to a call sent at `sent` any longer: it timed out, or its caller went away. Returns whether the
    /// connection is to be given up.
    pub fn unanswered(&mut self, sent: Time, now: Time) -> bool {
        let silent_from = sent.max(self.last_reply);
        let unanswered = self.unanswered.get_or_insert(Unanswered {
            since: silent_from,
            until: silent_from,
            waited: Duration::ZERO,
            timeouts: 0,
        });
        let timed_out = now.since(sent) >= self.timeout;
        if timed_out && unanswered.timeouts == 0 {
            // Callers that went away before proved nothing: the replies to them may have come.
            unanswered.since = silent_from;
        } else if timed_out || unanswered.timeouts == 0 {
            unanswered.since = unanswered.since.min(silent_from);
        }
        unanswered.waited += now.since(silent_from.max(unanswered.until));
        unanswered.until = unanswered.until.max(now);
        if timed_out {
            unanswered.timeouts = unanswered.timeouts.saturating_add(1);
        }
        unanswered.timeouts >= self.drop_after_timeouts
            || unanswered.waited >= self.timeout.saturating_mul(self.drop_after_timeouts)
    }

    /// When the last reply came.
    pub fn last_reply(&self) -> Time {
        self.last_reply
    }

    /// From when on there has been no sign of life though one was awaited.
    pub fn silent_since(&self) -> Option<Time> {
        self.unanswered.map(|unanswered| unanswered.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn health() -> Health {
        Health::new(at(0), Duration::from_millis(500), 2)
    }

    #[test]
    fn two_timeouts_in_a_row_end_it() {
        let mut health = health();
        assert!(!health.unanswered(at(100), at(600)));
        assert!(health.unanswered(at(150), at(650)));
        assert_eq!(health.silent_since(), Some(at(100)));
    }

    #[test]
    fn it_is_silent_since_the_call_that_timed_out_and_not_since_one_that_was_given_up_before() {
        let mut health = health();
        assert!(!health.unanswered(at(100), at(110)));
        assert!(!health.unanswered(at(2000), at(2500)));
        assert_eq!(health.silent_since(), Some(at(2000)));
        assert!(!health.unanswered(at(1900), at(1910)));
        assert!(health.unanswered(at(1950), at(2600)));
        assert_eq!(health.silent_since(), Some(at(1950)));
    }

    #[test]
    fn a_reply_in_between_is_a_sign_of_life() {
        let mut health = health();
        assert!(!health.unanswered(at(100), at(600)));
        health.replied(at(620));
        assert!(!health.unanswered(at(150), at(650)));
        assert_eq!(health.last_reply(), at(620));
    }

    #[test]
    fn callers_without_patience_end_it_when_they_have_waited_as_long_together() {
        let mut health = health();
        let ended = (0..100).find(|call| health.unanswered(at(call * 200), at(call * 200 + 100)));
        assert_eq!(ended, Some(9));
    }

    #[test]
    fn callers_that_wait_at_the_same_time_wait_only_once() {
        let mut health = health();
        assert!((0..1000).all(|_| !health.unanswered(at(0), at(100))));
    }

    #[test]
    fn a_long_silence_in_which_nobody_waited_is_no_sign_of_death() {
        let mut health = health();
        assert!(!health.unanswered(at(0), at(10)));
        assert!(!health.unanswered(at(3_600_000), at(3_600_010)));
    }
}

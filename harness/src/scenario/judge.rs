//! The rules of judgement: what the file says, and defaults that follow from the client's settings and the phases.

use std::collections::BTreeSet;
use std::time::Duration;

use squall_client::Settings;
use squall_client::core::class::Class;
use squall_client::settings::{Attempts, BreakerSettings, RetrySettings};

use super::file::{Judge, Phase};
use crate::history::{BreakerRule, RetryRule, Rules};
use crate::load::Load;

/// R.
const RESYNC_WITHIN: Duration = Duration::from_secs(5);
/// What of R there is for bringing everything, once a breaker has cooled down.
const BRINGING: Duration = Duration::from_millis(2500);
/// e.
const CLOCK_SLACK: Duration = Duration::from_millis(50);
/// d.
const TTL_SLACK: Duration = Duration::from_millis(500);
/// What a busy machine may add to the client's own deadline.
const RESPONSE_SLACK: Duration = Duration::from_millis(500);
/// What a busy machine may add to the breaker's own times.
const BREAKER_SLACK: Duration = Duration::from_secs(1);

impl Judge {
    /// The rules for a subject with `settings`.
    pub(super) fn rules(&self, settings: &Settings, load: &Load, phases: &[Phase]) -> Rules {
        let breaker = &settings.breaker;
        Rules {
            can: BTreeSet::new(),
            resync_within: self.resync_within.unwrap_or(RESYNC_WITHIN),
            resync_within_if_open: resync_within_if_open(breaker, faulty(phases))
                .filter(|within| self.resync_within.is_none() && *within > RESYNC_WITHIN),
            clock_slack: self.clock_slack.unwrap_or(CLOCK_SLACK),
            ttl_slack: self.ttl_slack.unwrap_or(TTL_SLACK),
            response_within: self.response_within.unwrap_or(settings.deadline + RESPONSE_SLACK),
            open_within: self.open_within.unwrap_or_else(|| open_within(settings, load)),
            close_within: self.close_within.unwrap_or_else(|| close_within(breaker, faulty(phases))),
            shards: 1,
            connections: connections(settings),
            in_flight: settings.pool.in_flight.into(),
            local_bytes: settings.local.bytes,
            local_sessions: Some(settings.local.sessions),
            breaker: BreakerRule {
                failures: breaker.failures,
                failure_rate: breaker.failure_rate,
                window: breaker.window,
                min_calls: breaker.min_calls,
                cool_down: breaker.cool_down,
                cool_down_max: breaker.cool_down_max,
                jitter: breaker.jitter,
                probes: breaker.probes,
                alone: breaker.per_class.is_empty(),
            },
            retry: Some(retry(&settings.retry)),
            encrypted: false,
        }
    }
}

/// Those of the pool, and the one by which replicas are asked.
fn connections(settings: &Settings) -> u64 {
    u64::from(settings.pool.connections) + u64::from(settings.replicas.acknowledgements > 0)
}

/// The most that any class of calls may do.
fn retry(settings: &RetrySettings) -> RetryRule {
    let most = |of: fn(Attempts) -> Duration| {
        Class::ALL.into_iter().map(|class| of(settings.attempts(class))).max().unwrap_or_default()
    };
    let retries = Class::ALL.into_iter().map(|class| settings.attempts(class).retries).max();
    RetryRule {
        retries: retries.unwrap_or_default(),
        base: most(|attempts| attempts.base),
        cap: most(|attempts| attempts.cap),
    }
}

/// Long enough for one instance to start as many operations as must fail, and for the last of them to fail.
fn open_within(settings: &Settings, load: &Load) -> Duration {
    let share = load.rate.0 / f64::from(load.instances.max(1));
    let calls = f64::from(settings.breaker.failures) / share;
    let calls = Duration::try_from_secs_f64(calls).unwrap_or(Duration::ZERO);
    calls + settings.connect_timeout + settings.operation_timeout + BREAKER_SLACK
}

/// The longest cool-down that can have begun while faults lasted, and then as long as it takes to bring everything.
fn resync_within_if_open(breaker: &BreakerSettings, faulty: Duration) -> Option<Duration> {
    breaker.enabled.then(|| longest_cool_down(breaker, faulty) + BRINGING)
}

/// The longest cool-down that can have begun while faults lasted, and one probe that hung.
fn close_within(breaker: &BreakerSettings, faulty: Duration) -> Duration {
    longest_cool_down(breaker, faulty) + breaker.probe_lease + BREAKER_SLACK
}

/// The longest cool-down that can have begun while faults lasted so long, with all that chance may add.
fn longest_cool_down(breaker: &BreakerSettings, faulty: Duration) -> Duration {
    let mut cool_down = breaker.cool_down;
    let mut spent = cool_down.mul_f64((1.0 - breaker.jitter).max(0.0));
    // Each trip doubles the cool-down. A trip comes at the earliest when the one before it has cooled down. The settings keep
    // a cool-down above zero, so this ends.
    while spent <= faulty && cool_down < breaker.cool_down_max {
        cool_down = (cool_down * 2).min(breaker.cool_down_max);
        spent += cool_down.mul_f64((1.0 - breaker.jitter).max(0.0));
    }
    cool_down.mul_f64(1.0 + breaker.jitter)
}

/// How long it is from the first fault's start to the last fault's end.
fn faulty(phases: &[Phase]) -> Duration {
    let windows = windows(phases);
    let first = windows.iter().map(|(from, _)| *from).min().unwrap_or_default();
    last_fault(phases).saturating_sub(first)
}

/// When the last fault ends, from the start of the first phase.
pub(super) fn last_fault(phases: &[Phase]) -> Duration {
    windows(phases).into_iter().map(|(_, to)| to).max().unwrap_or_default()
}

/// The windows of all faults, from the start of the first phase.
fn windows(phases: &[Phase]) -> Vec<(Duration, Duration)> {
    let mut start = Duration::ZERO;
    let mut windows = Vec::new();
    for phase in phases {
        for fault in &phase.faults {
            let (from, to) = fault.window(phase.length);
            windows.push((start + from, start + to));
        }
        start += phase.length;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker(cool_down: u32, cool_down_max: u32) -> BreakerSettings {
        let (cool_down, cool_down_max) = (cool_down * SECOND, cool_down_max * SECOND);
        BreakerSettings { cool_down, cool_down_max, jitter: 0.2, ..Settings::default().breaker }
    }

    #[test]
    fn a_short_outage_leaves_the_first_cool_down() {
        // 15 s and a fifth, a hung probe's 2 s, and the slack.
        assert_eq!(close_within(&breaker(15, 60), 4 * SECOND), 21 * SECOND);
    }

    #[test]
    fn a_long_outage_lets_the_cool_down_grow_as_far_as_it_had_time_to() {
        // The trips come at 0 s, 12 s and 36 s at the earliest, so the third cool-down, 60 s, is reached at 36 s.
        assert_eq!(close_within(&breaker(15, 60), 20 * SECOND), 39 * SECOND);
        assert_eq!(close_within(&breaker(15, 60), 40 * SECOND), 75 * SECOND);
        assert_eq!(close_within(&breaker(1, 2), 500 * SECOND), Duration::from_millis(5400));
    }

    #[test]
    fn the_defaults_follow_the_settings() {
        let settings = Settings::default();
        let rules = Judge::default().rules(&settings, &Load::default(), &[]);
        assert_eq!(rules.response_within, settings.deadline + RESPONSE_SLACK);
        // 3 failures at 50 operations a second and instance, and the timeouts.
        assert_eq!(rules.open_within, Duration::from_millis(60 + 1000 + 500 + 1000));
        assert_eq!(rules.local_bytes, settings.local.bytes);
        assert!(rules.breaker.alone);
    }

    #[test]
    fn who_cools_down_for_long_has_as_much_longer_to_bring_everything_unless_the_file_says() {
        let rules = |judge: &Judge, cool_down, cool_down_max| {
            let breaker = breaker(cool_down, cool_down_max);
            let settings = Settings { breaker, ..Settings::default() };
            judge.rules(&settings, &Load::default(), &[]).resync_within_if_open
        };
        let judge = Judge::default();
        assert_eq!(rules(&judge, 15, 60), Some(Duration::from_millis(18_000 + 2500)));
        assert_eq!(rules(&judge, 1, 2), None);
        let judge = Judge { resync_within: Some(6 * SECOND), ..judge };
        assert_eq!(rules(&judge, 15, 60), None);
    }

    #[test]
    fn the_class_that_may_try_most_counts() {
        let mut settings = Settings::default();
        settings.retry.per_class.writes = Some(Attempts { retries: 7, ..Attempts::default() });
        let rules = Judge::default().rules(&settings, &Load::default(), &[]);
        let Attempts { base, cap, .. } = Attempts::default();
        assert_eq!(rules.retry, Some(RetryRule { retries: 7, base, cap }));
    }

    #[test]
    fn what_the_file_says_counts() {
        let judge = Judge { open_within: Some(SECOND), ..Judge::default() };
        assert_eq!(judge.rules(&Settings::default(), &Load::default(), &[]).open_within, SECOND);
    }
}

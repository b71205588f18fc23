//! The head of a made-up history.

use std::time::Duration;

use squall::check::Expect;
use squall::history::{BreakerRule, Capability, Head, PhaseSpan, RetryRule, Rules, SCHEMA};

use super::{INSTANCES, length, outages};

/// The head of a history of so many operations on so many sessions.
pub fn head(operations: u64, sessions: u32) -> Head {
    let to = length(operations);
    Head {
        schema: SCHEMA,
        scenario: "made-up/long".to_owned(),
        proves: "A store that is right by construction is accused of nothing".to_owned(),
        origin: Vec::new(),
        seed: 1,
        world: "sim".to_owned(),
        world_notes: Vec::new(),
        subject: "a store that is right".to_owned(),
        key: "session:{session}".to_owned(),
        ignored: Vec::new(),
        instances: INSTANCES,
        sessions,
        faults: outages(operations),
        phases: vec![PhaseSpan { name: "load".to_owned(), from: 0, to }],
        rules: rules(),
        expect: Expect::default(),
        allow: Vec::new(),
        canary: None,
    }
}

fn rules() -> Rules {
    use Capability::{Breaker, Fallback, Resync, Samples, Ttl};
    let seconds = Duration::from_secs;
    Rules {
        can: [Fallback, Breaker, Resync, Ttl, Samples].into(),
        resync_within: seconds(5),
        resync_within_if_open: None,
        clock_slack: Duration::from_millis(50),
        ttl_slack: Duration::from_millis(500),
        response_within: seconds(2),
        open_within: seconds(3),
        close_within: seconds(5),
        shards: 1,
        connections: 4,
        in_flight: 100,
        local_bytes: 1 << 26,
        local_sessions: None,
        breaker: BreakerRule {
            failures: 3,
            failure_rate: 0.5,
            window: seconds(10),
            min_calls: 20,
            cool_down: seconds(2),
            cool_down_max: seconds(8),
            jitter: 0.2,
            probes: 1,
            alone: true,
        },
        retry: Some(RetryRule { retries: 2, base: Duration::from_millis(50), cap: seconds(1) }),
        encrypted: false,
    }
}

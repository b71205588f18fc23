//! `latency`: every chunk comes late.

use std::time::Duration;

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Bend, Inject, Problem, draw, range};
use crate::units::{format_duration, length};

/// Delays every chunk.
///
/// ```toml
/// faults = [{ inject.latency = { delay = "200ms", jitter = "50ms" }, direction = "downstream" }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// How long, 1 ms to 1 h.
    #[serde(with = "length")]
    pub delay: Duration,
    /// How far chance moves each delay up or down; `delay` at most.
    #[serde(with = "length", default)]
    pub jitter: Duration,
}

impl Inject for Latency {
    const EXAMPLE: &'static str = "inject.latency = { delay = \"200ms\", jitter = \"50ms\" }";

    fn act(&self) -> Act {
        Act::Bend(Bend::Latency { delay: self.delay, jitter: self.jitter })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        (draw::ms(1..1500), draw::ms(0..500))
            .prop_map(|(delay, jitter)| Self { delay, jitter: jitter.min(delay) })
            .sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        found.extend(range::whole_ms("delay", self.delay, Duration::from_millis(1)));
        found.extend(range::whole_ms("jitter", self.jitter, Duration::ZERO));
        if self.jitter > self.delay {
            let [delay, jitter] = [self.delay, self.jitter].map(format_duration);
            let what = format!("jitter {jitter} is more than the delay {delay}");
            found.push(Problem { key: "jitter", what, cure: format!("it must be {delay} at most") });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn jitter_as_large_as_the_delay_is_fine() {
        let fault = Latency { delay: 200 * MS, jitter: 200 * MS };
        assert_eq!(fault.act(), Act::Bend(Bend::Latency { delay: 200 * MS, jitter: 200 * MS }));
        assert_eq!(fault.problems(), []);
    }

    #[test]
    fn a_delay_that_rounds_to_nothing_and_jitter_beyond_the_delay_are_refused() {
        let tiny = Latency { delay: Duration::from_micros(10), jitter: Duration::ZERO };
        assert_eq!(tiny.problems().len(), 1);
        let wild = Latency { delay: MS, jitter: 2 * MS };
        assert_eq!(wild.problems()[0].what, "jitter 2ms is more than the delay 1ms");
    }
}

//! Figures of a run: operations counted, latencies, and each breaker's way. Pure functions of a history.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::history::{BreakerState, Entry, Event, Head, History, NO_SESSION, Outcome, ServedBy};
use crate::load::Kind;

/// Operations of one kind, counted by how they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// How many were handed to an instance.
    pub invoked: u64,
    /// Acknowledged by Redis.
    pub ok_redis: u64,
    /// Acknowledged by the instance itself.
    pub ok_local: u64,
    /// Surely not happened, by error code.
    pub failed: BTreeMap<String, u64>,
    /// Perhaps happened, by error code.
    pub unknown: BTreeMap<String, u64>,
    /// Still without an answer when the run ended.
    pub unfinished: u64,
    /// How long those that ended took, however they ended; none when none ended.
    pub latency: Option<Latency>,
}

/// How long operations took, from when the load meant them to start to their end, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Half took no longer.
    pub p50_us: u64,
    /// Nine of ten took no longer.
    pub p90_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// 999 of 1000 took no longer.
    pub p999_us: u64,
    /// None took longer.
    pub max_us: u64,
}

/// A breaker's state, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerStep {
    /// When it was entered, in milliseconds since the start of the run.
    pub at_ms: u64,
    /// The state.
    pub state: BreakerState,
}

impl Operations {
    /// Acknowledged, by whomever.
    pub fn ok(&self) -> u64 {
        self.ok_redis + self.ok_local
    }

    /// Operations of this kind that were acknowledged, or told for sure that there is no such session.
    pub fn answered(&self, kind: Kind) -> u64 {
        let no_session = self.failed.get(NO_SESSION).filter(|_| kind.needs_session());
        self.ok().saturating_add(no_session.copied().unwrap_or(0))
    }

    /// Surely not happened.
    pub fn failed_total(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Perhaps happened.
    pub fn unknown_total(&self) -> u64 {
        self.unknown.values().sum()
    }

    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Ok { served_by: ServedBy::Redis, .. } => self.ok_redis += 1,
            Outcome::Ok { served_by: ServedBy::Local, .. } => self.ok_local += 1,
            Outcome::Failed { code, .. } => *self.failed.entry(code.clone()).or_default() += 1,
            Outcome::Unknown { code, .. } => *self.unknown.entry(code.clone()).or_default() += 1,
        }
    }
}

/// Counts a history entry by entry: its operations by kind, and the way of every breaker.
#[derive(Debug)]
pub struct Figures {
    counted: BTreeMap<Kind, Operations>,
    /// Operations without an answer so far, with when they were due.
    running: HashMap<u64, (Kind, u64)>,
    took: BTreeMap<Kind, Vec<u64>>,
    breakers: BTreeMap<u16, Vec<BreakerStep>>,
    /// When the last entry was recorded.
    over: u64,
}

/// What the figures of a whole history came to.
#[derive(Debug)]
pub(super) struct Counted {
    /// Kinds that never ran are left out.
    pub(super) operations: BTreeMap<Kind, Operations>,
    /// From closed on. An instance that told of no change stays closed.
    pub(super) breakers: BTreeMap<u16, Vec<BreakerStep>>,
    pub(super) took_ms: u64,
}

impl Figures {
    /// Of a run with this head; nothing is counted yet.
    pub fn new(head: &Head) -> Self {
        let closed = BreakerStep { at_ms: 0, state: BreakerState::Closed };
        Self {
            counted: BTreeMap::new(),
            running: HashMap::new(),
            took: BTreeMap::new(),
            breakers: (0..head.instances).map(|instance| (instance, vec![closed])).collect(),
            over: 0,
        }
    }

    /// Of a whole history.
    pub fn of(history: &History) -> Self {
        let mut figures = Self::new(&history.head);
        history.entries.iter().for_each(|entry| figures.take(entry));
        figures
    }

    /// Counts the next entry.
    pub fn take(&mut self, Entry { t, e }: &Entry) {
        self.over = *t;
        match e {
            Event::Invoke { id, op, due, .. } => {
                self.running.insert(*id, (*op, *due));
                self.counted.entry(*op).or_default().invoked += 1;
            }
            Event::Return { id, outcome } => {
                // A return without its invoke is for the checks to blame; here it has no kind to be counted under.
                let Some((kind, due)) = self.running.remove(id) else { return };
                self.counted.entry(kind).or_default().count(outcome);
                self.took.entry(kind).or_default().push(t.saturating_sub(due) / 1_000);
            }
            Event::Breaker { instance, to, .. } => {
                if let Some(way) = self.breakers.get_mut(instance) {
                    way.push(BreakerStep { at_ms: t / 1_000_000, state: *to });
                }
            }
            Event::Fault { .. }
            | Event::Phase { .. }
            | Event::Mode { .. }
            | Event::Resync { .. }
            | Event::Wire { .. }
            | Event::Sample { .. }
            | Event::Told { .. }
            | Event::Final { .. } => {}
        }
    }

    /// What it came to, when all entries were counted.
    pub(super) fn finish(self) -> Counted {
        let mut operations = self.counted;
        for (kind, _) in self.running.into_values() {
            operations.entry(kind).or_default().unfinished += 1;
        }
        for (kind, times) in self.took {
            operations.entry(kind).or_default().latency = latency(times);
        }
        Counted { operations, breakers: self.breakers, took_ms: self.over / 1_000_000 }
    }
}

fn latency(mut times: Vec<u64>) -> Option<Latency> {
    times.sort_unstable();
    let max_us = *times.last()?;
    // The nearest rank: the smallest time that at least this share of the operations did not exceed.
    let rank = |thousandths: usize| times[(times.len() * thousandths).div_ceil(1000).max(1) - 1];
    Some(Latency { p50_us: rank(500), p90_us: rank(900), p99_us: rank(990), p999_us: rank(999), max_us })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        assert_eq!(latency(Vec::new()), None);
        let one = latency(vec![7]).unwrap();
        assert_eq!((one.p50_us, one.p999_us, one.max_us), (7, 7, 7));
        let many = latency((1..=1000).rev().collect()).unwrap();
        assert_eq!((many.p50_us, many.p90_us, many.p99_us, many.p999_us), (500, 900, 990, 999));
        assert_eq!(many.max_us, 1000);
    }

    #[test]
    fn each_operation_is_counted_once() {
        let counted = Figures::of(&samples::history()).finish().operations;
        let update = &counted[&Kind::Update];
        assert_eq!((update.invoked, update.ok_redis, update.unknown_total()), (2, 1, 1));
        let get = &counted[&Kind::Get];
        assert_eq!((get.invoked, get.ok_local, get.failed_total(), get.unfinished), (3, 1, 1, 1));
        assert!(!counted.contains_key(&Kind::Destroy));
    }

    #[test]
    fn latency_counts_from_when_the_load_meant_to_start() {
        let counted = Figures::of(&samples::history()).finish().operations;
        assert_eq!(counted[&Kind::Update].latency.unwrap().max_us, 1_000_000);
    }

    #[test]
    fn a_breaker_that_never_changed_stays_closed() {
        let ways = Figures::of(&samples::history()).finish().breakers;
        assert_eq!(ways[&0].len(), 4);
        assert_eq!(ways[&1], [BreakerStep { at_ms: 0, state: BreakerState::Closed }]);
        assert!(!ways.contains_key(&2));
    }
}

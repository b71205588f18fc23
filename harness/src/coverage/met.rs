//! What each operation of a history met when it began.

use std::collections::{BTreeMap, HashMap};

use super::FaultKind;
use crate::history::{BreakerState, Event, History, Mode};
use crate::load::Kind;

/// What an operation met when it was handed to its instance.
#[derive(Clone, Copy, Debug)]
pub struct Met<'a> {
    /// When, in nanoseconds since the start of the run.
    pub t: u64,
    /// The instance.
    pub instance: u16,
    /// The kind of operation.
    pub operation: Kind,
    /// The state of the instance's breaker, as it last said; closed at first, and always for a client without one.
    pub breaker: BreakerState,
    /// Who serves, as the instance last said; Redis at first.
    pub mode: Mode,
    /// The kinds of fault that strike the instance, each once.
    pub faults: &'a [FaultKind],
}

/// A fault that has begun and not ended.
#[derive(Debug)]
struct Striking {
    number: u32,
    kind: FaultKind,
    instances: Vec<u16>,
    /// When the world was told to end it: from then on it may or may not strike.
    until: u64,
}

/// Follows a run event by event: what strikes, and what the instances last said.
#[derive(Debug)]
pub struct Walk {
    states: Vec<(BreakerState, Mode)>,
    striking: Vec<Striking>,
    /// The kinds that strike the instance at hand.
    faults: Vec<FaultKind>,
}

impl Walk {
    /// The start of a run of so many instances.
    pub fn new(instances: u16) -> Self {
        let states = vec![(BreakerState::Closed, Mode::Redis); usize::from(instances)];
        Self { states, striking: Vec::new(), faults: Vec::new() }
    }

    /// A fault began; the world is told at `until` to end it.
    pub fn fault_begins(&mut self, number: u32, what: &str, instances: &[u16], until: u64) {
        let struck = |kind| Striking { number, kind, instances: instances.to_vec(), until };
        self.striking.extend(FaultKind::told(what).map(struck));
    }

    /// A fault ended.
    pub fn fault_ends(&mut self, number: u32) {
        self.striking.retain(|one| one.number != number);
    }

    /// An instance said that its breaker changed.
    pub fn breaker(&mut self, instance: u16, to: BreakerState) {
        if let Some(state) = self.states.get_mut(usize::from(instance)) {
            state.0 = to;
        }
    }

    /// An instance said who serves from now on.
    pub fn mode(&mut self, instance: u16, to: Mode) {
        if let Some(state) = self.states.get_mut(usize::from(instance)) {
            state.1 = to;
        }
    }

    /// An instance is gone; the next of its number is as one that has just started.
    pub fn restarts(&mut self, instance: u16) {
        if let Some(state) = self.states.get_mut(usize::from(instance)) {
            *state = (BreakerState::Closed, Mode::Redis);
        }
    }

    /// What an operation meets that is handed to an instance at `t`; nothing, if the instance is not of the run.
    pub fn met(&mut self, t: u64, instance: u16, operation: Kind) -> Option<Met<'_>> {
        let (breaker, mode) = self.states.get(usize::from(instance)).copied()?;
        let surely = |one: &&Striking| one.instances.contains(&instance) && t < one.until;
        self.faults.clear();
        self.faults.extend(self.striking.iter().filter(surely).map(|one| one.kind));
        self.faults.sort_unstable();
        self.faults.dedup();
        Some(Met { t, instance, operation, breaker, mode, faults: &self.faults })
    }
}

/// Shows what every operation of the run's instances met, in order.
pub fn each(history: &History, mut see: impl FnMut(Met<'_>)) {
    let ends = ends(history);
    let mut walk = Walk::new(history.head.instances);
    for (place, entry) in history.entries.iter().enumerate() {
        match &entry.e {
            Event::Fault { fault, what, instances, on: true, effect, .. } => {
                if effect.ends_instances.is_some() {
                    instances.iter().for_each(|instance| walk.restarts(*instance));
                }
                let until = ends.get(&place).copied().unwrap_or(u64::MAX);
                walk.fault_begins(*fault, what, instances, until);
            }
            Event::Fault { fault, on: false, .. } => walk.fault_ends(*fault),
            Event::Breaker { instance, to, .. } => walk.breaker(*instance, *to),
            Event::Mode { instance, to } => walk.mode(*instance, *to),
            Event::Invoke { instance, op, .. } => {
                if let Some(met) = walk.met(entry.t, *instance, *op) {
                    see(met);
                }
            }
            Event::Return { .. }
            | Event::Phase { .. }
            | Event::Resync { .. }
            | Event::Wire { .. }
            | Event::Sample { .. }
            | Event::Told { .. }
            | Event::Final { .. } => {}
        }
    }
}

/// When the world was told to end each fault, by the place of the entry that says that it began.
fn ends(history: &History) -> BTreeMap<usize, u64> {
    let (mut begun, mut ends) = (HashMap::new(), BTreeMap::new());
    for (place, entry) in history.entries.iter().enumerate() {
        let Event::Fault { fault, on, asked, .. } = &entry.e else { continue };
        if *on {
            begun.insert(*fault, place);
        } else {
            ends.extend(begun.remove(fault).map(|place| (place, *asked)));
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Effect, Entry, SessionId};
    use crate::report::samples;

    fn asked(t: u64, instance: u16) -> Entry {
        let (write, ttl_ms) = (None, None);
        let e =
            Event::Invoke { id: t, instance, op: Kind::Get, session: SessionId(1), write, ttl_ms, due: t };
        Entry { t, e }
    }

    fn fault(t: u64, fault: u32, what: &str, on: bool, asked: u64) -> Entry {
        let (what, instances, effect) = (what.to_owned(), vec![0], Effect::default());
        Entry { t, e: Event::Fault { fault, what, instances, on, asked, effect } }
    }

    fn met(entries: Vec<Entry>) -> Vec<String> {
        let history = History { entries, ..samples::history() };
        let mut seen = Vec::new();
        each(&history, |met| {
            let faults = met.faults.iter().map(|fault| fault.name()).collect::<Vec<_>>().join("+");
            seen.push(format!("{} i{} {:?} {:?} {faults}", met.t, met.instance, met.breaker, met.mode));
        });
        seen
    }

    #[test]
    fn a_fault_strikes_from_when_it_has_begun_until_the_world_is_told_to_end_it() {
        let entries = vec![
            asked(9, 0),
            fault(10, 0, "kill", true, 8),
            asked(10, 0),
            asked(11, 1),
            asked(19, 0),
            // Between being told and having done it the world may be anywhere.
            asked(20, 0),
            fault(25, 0, "kill", false, 20),
            asked(30, 0),
        ];
        let expected = [
            "9 i0 Closed Redis ",
            "10 i0 Closed Redis kill",
            "11 i1 Closed Redis ",
            "19 i0 Closed Redis kill",
        ];
        let after = ["20 i0 Closed Redis ", "30 i0 Closed Redis "];
        assert_eq!(met(entries), [&expected[..], &after].concat());
    }

    #[test]
    fn several_faults_strike_at_once_and_those_of_one_kind_count_once() {
        let entries = vec![
            fault(1, 0, "stall", true, 1),
            fault(1, 1, "latency (delay 5ms)", true, 1),
            fault(1, 2, "latency (delay 9ms)", true, 1),
            asked(2, 0),
            fault(3, 1, "latency (delay 5ms)", false, 3),
            asked(4, 0),
            fault(5, 2, "latency (delay 9ms)", false, 5),
            fault(5, 0, "stall", false, 5),
            asked(6, 0),
        ];
        let expected =
            ["2 i0 Closed Redis latency+stall", "4 i0 Closed Redis latency+stall", "6 i0 Closed Redis "];
        assert_eq!(met(entries), expected);
    }

    #[test]
    fn a_fault_that_never_ends_strikes_to_the_end_and_one_nobody_knows_is_none() {
        let entries = vec![fault(1, 0, "kill", true, 1), fault(1, 1, "comet", true, 1), asked(9, 0)];
        assert_eq!(met(entries), ["9 i0 Closed Redis kill"]);
    }

    #[test]
    fn the_breaker_and_the_mode_are_those_that_the_instance_itself_last_told() {
        let open = Event::Breaker { instance: 1, from: BreakerState::Closed, to: BreakerState::Open };
        let entries = vec![
            Entry { t: 1, e: open },
            Entry { t: 1, e: Event::Mode { instance: 1, to: Mode::Local } },
            // The fresh instance of the final reads has the number after the last.
            Entry { t: 1, e: Event::Mode { instance: 2, to: Mode::Local } },
            asked(2, 0),
            asked(2, 1),
            asked(2, 2),
        ];
        assert_eq!(met(entries), ["2 i0 Closed Redis ", "2 i1 Open Local "]);
    }

    #[test]
    fn an_empty_history_shows_nothing() {
        assert_eq!(met(Vec::new()), Vec::<String>::new());
    }
}

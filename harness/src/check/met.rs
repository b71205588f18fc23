//! What each operation met when it began, by what is kept of a history.

use super::faults::Fault;
use super::index::Index;
use crate::coverage::{Coverage, Met, Walk};
use crate::history::{BreakerState, Event, Mode};

/// Something that changes what operations meet.
enum Turn<'a> {
    Begins(&'a Fault),
    Ends(u32),
    Breaker(u16, BreakerState),
    Mode(u16, Mode),
    Restarts(u16),
}

/// Shows what every operation met, in order.
pub(crate) fn each(index: &Index<'_>, mut see: impl FnMut(Met<'_>)) {
    let mut turns = turns(index).into_iter().peekable();
    let mut walk = Walk::new(index.head.instances);
    for operation in &index.operations {
        while let Some((_, turn)) = turns.next_if(|(entry, _)| *entry < operation.invoke.entry) {
            match turn {
                Turn::Begins(fault) => {
                    let until = fault.asked_off.unwrap_or(u64::MAX);
                    walk.fault_begins(fault.number, &fault.what, &fault.instances, until);
                }
                Turn::Ends(number) => walk.fault_ends(number),
                Turn::Breaker(instance, to) => walk.breaker(instance, to),
                Turn::Mode(instance, to) => walk.mode(instance, to),
                Turn::Restarts(instance) => walk.restarts(instance),
            }
        }
        let number = number(index, operation.instance);
        if let Some(met) = walk.met(operation.invoke.t, number, operation.kind) {
            see(met);
        }
    }
}

impl Index<'_> {
    /// The situations in which the operations began.
    pub fn coverage(&self) -> Coverage {
        let mut coverage = Coverage::default();
        // Of which breaker an operation met nothing is told.
        if self.rules().shards > 1 {
            return coverage;
        }
        each(self, |met| coverage.see(&met));
        coverage
    }
}

/// All of them, in the order of their entries.
fn turns<'a>(index: &'a Index<'_>) -> Vec<(usize, Turn<'a>)> {
    let faults = index.faults.all.iter().flat_map(|fault| {
        let ends = fault.off.map(|(_, entry)| (entry, Turn::Ends(fault.number)));
        [Some((fault.on.1, Turn::Begins(fault))), ends].into_iter().flatten()
    });
    let breakers = index.lives.all().flat_map(|(life, of)| {
        let changes = index.changes(life).iter();
        changes.map(move |change| (change.entry, Turn::Breaker(of.instance, change.to)))
    });
    let restarts = index.lives.all().filter_map(|(_, life)| {
        let gone = life.gone?;
        Some((gone.at.entry, Turn::Restarts(life.instance)))
    });
    let modes = index.told().filter_map(|(entry, line)| match line.e {
        Event::Mode { instance, to } => Some((entry, Turn::Mode(number(index, instance), to))),
        Event::Invoke { .. }
        | Event::Return { .. }
        | Event::Fault { .. }
        | Event::Phase { .. }
        | Event::Breaker { .. }
        | Event::Resync { .. }
        | Event::Wire { .. }
        | Event::Sample { .. }
        | Event::Told { .. }
        | Event::Final { .. } => None,
    });
    let mut turns: Vec<(usize, Turn<'a>)> = faults.chain(restarts).chain(breakers).chain(modes).collect();
    turns.sort_by_key(|(entry, _)| *entry);
    turns
}

/// The number in the run that this instance has.
fn number(index: &Index<'_>, instance: u16) -> u16 {
    index.lives.get(instance).map_or(instance, |life| life.instance)
}

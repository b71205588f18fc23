//! Whether every instance answers again when all has settled: a part of I10.

use std::collections::BTreeMap;

use super::index::{Ending, Index, OperationId};
use super::reads::Look;
use super::tally::Tally;
use super::words;
use crate::history::{FinalRead, Reader};
use crate::load::Kind;

/// So many answers that all fail, or looks of which most do, are no accident.
const MUTE_AFTER: usize = 3;

/// Faults, if there were any, are long enough over.
pub(super) fn after_faults(index: &Index<'_>, t: u64) -> bool {
    index.faults.all.is_empty() || t > index.settled_after(0)
}

/// Accuses instances that do not answer, though all has settled.
pub(super) fn judge(index: &Index<'_>, tally: &mut Tally) {
    looks(index, tally);
    if index.faults.all.is_empty() {
        return;
    }
    for instance in 0..index.lives.count() {
        operations(index, instance, tally);
    }
}

/// Instances that fail most of several looks, while a fresh one answers.
fn looks(index: &Index<'_>, tally: &mut Tally) {
    let failed = |look: &Look| matches!(look.found, FinalRead::Error { .. });
    let mut by_reader: BTreeMap<Reader, (usize, Vec<&Look>)> = BTreeMap::new();
    for look in index.looks.iter().filter(|look| after_faults(index, look.from.t)) {
        let (looks, failures) = by_reader.entry(look.reader).or_default();
        *looks += 1;
        failures.extend(Some(look).filter(|look| failed(look)));
    }
    let fresh_can = by_reader.get(&Reader::Fresh).is_some_and(|(looks, failures)| failures.len() < *looks);
    for (reader, (looks, failures)) in by_reader {
        let Reader::Instance(instance) = reader else { continue };
        let mute = fresh_can && looks >= MUTE_AFTER && failures.len() * 2 > looks;
        if let (true, Some(first)) = (mute, failures.first()) {
            tally.broken(first.to.entry, || {
                let says = format!(
                    "after the run instance-{instance} could not read {} of {looks} sessions, while a fresh instance could",
                    failures.len()
                );
                (says, vec![first.to.entry])
            });
        }
    }
}

/// An instance of whose operations of a kind, begun when all had settled, none is answered.
fn operations(index: &Index<'_>, instance: u16, tally: &mut Tally) {
    let unanswered = |id: &OperationId| match index.operation(*id).ending {
        Ending::Acknowledged { .. } | Ending::NoSession => false,
        Ending::Failed | Ending::Unknown | Ending::Missing => true,
    };
    let mut by_kind: BTreeMap<Kind, Vec<OperationId>> = BTreeMap::new();
    let late = index.operations_within(instance, index.settled_after(0), u64::MAX);
    for (id, operation) in late.filter(|(_, operation)| after_faults(index, operation.invoke.t)) {
        by_kind.entry(operation.kind).or_default().push(id);
    }
    for (kind, late) in by_kind {
        let mute = late.len() >= MUTE_AFTER && late.iter().all(unanswered);
        if let (true, Some(first)) = (mute, late.first()) {
            let operation = index.operation(*first);
            tally.broken(operation.end.map_or(operation.invoke.entry, |end| end.entry), || {
                let who = index.who(instance);
                let says = format!(
                    "{who} answered none of the {} times that it was asked to {} after all had settled, first {}",
                    late.len(),
                    kind.name(),
                    words::operation(index, *first)
                );
                (says, operation.entries().collect())
            });
        }
    }
}

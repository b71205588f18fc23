//! Whether every instance answers again when all has settled: a part of I10.

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
    let instances = 0..index.history.head.instances;
    instances.clone().for_each(|instance| looks(index, instance, tally));
    if index.faults.all.is_empty() {
        return;
    }
    for instance in instances {
        Kind::ALL.into_iter().for_each(|kind| operations(index, instance, kind, tally));
    }
}

/// An instance that fails most of several looks, while a fresh one answers.
fn looks(index: &Index<'_>, instance: u16, tally: &mut Tally) {
    let late = || index.looks.iter().filter(|look| after_faults(index, look.from.t));
    let failed = |look: &&Look| matches!(look.found, FinalRead::Error { .. });
    let looks = late().filter(|look| look.reader == Reader::Instance(instance)).count();
    let failures: Vec<&Look> =
        late().filter(|look| look.reader == Reader::Instance(instance)).filter(failed).collect();
    let fresh_can = late().any(|look| look.reader == Reader::Fresh && !failed(&look));
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

/// An instance of whose operations of a kind, begun when all had settled, none is answered.
fn operations(index: &Index<'_>, instance: u16, kind: Kind, tally: &mut Tally) {
    let late: Vec<OperationId> = index
        .operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.instance == instance && operation.kind == kind)
        .filter(|(_, operation)| after_faults(index, operation.invoke.t))
        .map(|(id, _)| id)
        .collect();
    let unanswered = |id: &OperationId| match index.operation(*id).ending {
        Ending::Acknowledged { .. } | Ending::NoSession => false,
        Ending::Failed | Ending::Unknown | Ending::Missing => true,
    };
    let mute = late.len() >= MUTE_AFTER && late.iter().all(unanswered);
    if let (true, Some(first)) = (mute, late.first()) {
        let operation = index.operation(*first);
        tally.broken(operation.end.map_or(operation.invoke.entry, |end| end.entry), || {
            let says = format!(
                "instance-{instance} answered none of the {} times that it was asked to {} after all had settled, first {}",
                late.len(),
                kind.name(),
                words::operation(index, *first)
            );
            (says, operation.entries().collect())
        });
    }
}

//! I14: the breaker does what it must: it opens soon in an outage, and closes soon when Redis is back.

use super::breaker_safe::{Change, named};
use super::faults::Fault;
use super::index::{Ending, Index, Operation, OperationId, nanos};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::history::{BreakerState, Capability, ServedBy};

/// I14.
pub(super) struct BreakerLive;

impl Check for BreakerLive {
    fn name(&self) -> &'static str {
        "I14"
    }

    fn title(&self) -> &'static str {
        "breaker, live"
    }

    fn needs(&self) -> &'static [Capability] {
        &[Capability::Breaker]
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for instance in 0..index.head.instances {
            let changes = index.changes(instance);
            for fault in index.faults.all.iter().filter(|fault| fault.effect.total && fault.strikes(instance))
            {
                opens(index, instance, changes, fault, &mut tally);
            }
            if !changes.is_empty() {
                closes(index, instance, changes, &mut tally);
            }
        }
        let held = format!("breakers opened or closed in time, {} times", tally.count());
        let unseen = "no breaker opened, and no outage was total, long enough and had enough calls to demand it; a longer one under more \
                      load would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

/// In a total outage with enough failing calls the breaker must open.
fn opens(index: &Index<'_>, instance: u16, changes: &[Change], fault: &Fault, tally: &mut Tally) {
    let within = nanos(index.rules().open_within);
    let (from, entry) = fault.on;
    let due = from.saturating_add(within);
    let deadline = due.saturating_add(index.slack());
    if fault.asked_off.is_none_or(|off| off < due) {
        return;
    }
    let ever_open = state_at(changes, from) != BreakerState::Closed
        || between(changes, from, deadline).iter().any(|change| change.to == BreakerState::Open);
    let failed = apart(index, instance, from, failed_calls(index, instance, from, due));
    let enough = usize::try_from(index.rules().breaker.failures).unwrap_or(usize::MAX).max(1);
    if ever_open {
        return tally.judged();
    }
    if failed.len() < enough || succeeded(index, instance, from, due) {
        return;
    }
    tally.broken(index.operation(failed[enough - 1]).end.map_or(entry, |end| end.entry), || {
        let says = format!(
            "{} struck instance-{instance} at {}, and {} of its operations had each found Redis away by {}; its breaker, which opens after \
             {enough}, did not open",
            fault.what,
            words::seconds(from),
            failed.len(),
            words::seconds(due),
        );
        let failures = failed.iter().take(enough.min(2)).flat_map(|id| index.operation(*id).entries());
        (says, failures.chain([entry]).collect())
    });
}

/// The operations from `from` to `to` that must have cost the subject a failed call each.
fn failed_calls(index: &Index<'_>, instance: u16, from: u64, to: u64) -> Vec<OperationId> {
    let failed = |operation: &Operation| match operation.ending {
        Ending::Acknowledged { by, .. } => by == ServedBy::Local,
        Ending::Unknown => true,
        Ending::Failed => operation.away,
        Ending::NoSession | Ending::Missing => false,
    };
    let ended = |operation: &Operation| operation.end.is_some_and(|end| end.t <= to);
    let operations = index.operations_within(instance, from, to);
    operations.filter(|(_, operation)| ended(operation) && failed(operation)).map(|(id, _)| id).collect()
}

/// Those of the failed operations that cannot have shared a failure with another of them: all that wait for one connection together
/// learn of one attempt that failed, and what was under way on one that broke ended with it.
fn apart(index: &Index<'_>, instance: u16, outage: u64, failed: Vec<OperationId>) -> Vec<OperationId> {
    let span = |id: &OperationId| {
        let operation = index.operation(*id);
        (operation.invoke.t, operation.end.map_or(u64::MAX, |end| end.t))
    };
    let until = |times: &[u64], t: u64| times.partition_point(|time| *time <= t);
    let wire = index.wire().get(usize::from(instance));
    let lives = wire.map_or(&[][..], |wire| wire.lives.as_slice());
    let ended = |stood: bool| -> Vec<u64> {
        let meant = lives.iter().filter(|(opened, _)| (*opened <= outage) == stood);
        meant.map(|(_, closed)| *closed).collect()
    };
    // What opened since the outage began is still being made, or was in vain.
    let (stood, in_vain) = (ended(true), ended(false));
    let connected = |id: &OperationId| {
        let Some(wire) = wire else { return false };
        let (from, to) = span(id);
        let standing = until(&wire.opened, outage);
        let being_made = until(&wire.opened, to) - standing > in_vain.partition_point(|t| *t < from);
        standing > until(&stood, from)
            && !being_made
            && until(&wire.broken_connections, from) == until(&wire.broken_connections, to)
    };
    let (mut apart, mut waiting): (Vec<_>, Vec<_>) = failed.into_iter().partition(connected);
    waiting.sort_by_key(|id| span(id).1);
    let mut over = 0;
    waiting.retain(|id| {
        let (from, to) = span(id);
        let after = from >= over;
        if after {
            over = to;
        }
        after
    });
    apart.append(&mut waiting);
    apart.sort_by_key(|id| span(id).1);
    apart
}

/// Whether any call got through, which shows that the outage was not total.
pub(super) fn succeeded(index: &Index<'_>, instance: u16, from: u64, to: u64) -> bool {
    let served = index.operations_within(instance, from, to).any(|(_, operation)| {
        operation.end.is_some_and(|end| end.t <= to) && operation.served_by() == Some(ServedBy::Redis)
    });
    let answered = index.wire().get(usize::from(instance)).is_some_and(|wire| {
        let since = from.saturating_add(index.slack());
        wire.successes.get(wire.successes.partition_point(|t| *t < since)).is_some_and(|t| *t <= to)
    });
    served || answered
}

/// When the last fault on the instance is over, the breaker must close, and it must not be open for good.
fn closes(index: &Index<'_>, instance: u16, changes: &[Change], tally: &mut Tally) {
    let within = nanos(index.rules().close_within).saturating_add(index.slack());
    let end = index.over;
    let healed = index.faults.end_for(instance).unwrap_or(0);
    let deadline = healed.saturating_add(within);
    if deadline > end {
        return;
    }
    let closed_in_time = state_at(changes, healed) == BreakerState::Closed
        || between(changes, healed, deadline).iter().any(|change| change.to == BreakerState::Closed);
    let left_closed = changes.iter().rev().take_while(|change| change.to != BreakerState::Closed).last();
    let stuck = left_closed.filter(|change| change.t.saturating_add(within) < end);
    let last = changes.iter().rev().find(|change| change.t <= deadline);
    match (closed_in_time, stuck) {
        (true, None) => tally.judged(),
        (false, _) => tally.broken(last.map_or(0, |change| change.entry), || {
            let says = format!(
                "the last fault on instance-{instance} ended at {}; its breaker was not closed again by {}: it was {}",
                words::seconds(healed),
                words::seconds(deadline),
                named(state_at(changes, deadline)),
            );
            (says, last.map(|change| change.entry).into_iter().collect())
        }),
        (true, Some(opened)) => tally.broken(opened.entry, || {
            let says = format!(
                "the breaker of instance-{instance} opened at {}, after the last fault, and was {} when the run ended at {}",
                words::seconds(opened.t),
                named(state_at(changes, end)),
                words::seconds(end),
            );
            (says, vec![opened.entry])
        }),
    }
}

fn state_at(changes: &[Change], t: u64) -> BreakerState {
    let before = changes.partition_point(|change| change.t <= t).checked_sub(1);
    before.map_or(BreakerState::Closed, |last| changes[last].to)
}

/// The changes from `from` to `to`, both included.
fn between(changes: &[Change], from: u64, to: u64) -> &[Change] {
    let first = changes.partition_point(|change| change.t < from);
    let after_last = changes.partition_point(|change| change.t <= to);
    changes.get(first..after_last).unwrap_or(&[])
}

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

    fn follows_what_is_told(&self) -> bool {
        true
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for instance in 0..index.lives.count() {
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
    if fault.asked_off.is_none_or(|off| off < due) || index.over_of(instance) < deadline {
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
        let who = index.who(instance);
        let says = format!(
            "{} struck {who} at {}, and {} of its operations had each found Redis away by {}; its breaker, which opens after \
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

/// A stretch in which a breaker is not closed.
#[derive(Clone, Copy)]
struct Away {
    /// When it had been closed before, if it had opened before.
    closed_before: Option<u64>,
    opened: Change,
    closed: Option<Change>,
}

impl Away {
    fn all(changes: &[Change]) -> Vec<Self> {
        let (mut all, mut opened, mut closed_before) = (Vec::new(), None, None);
        for change in changes {
            match change.to {
                BreakerState::Open | BreakerState::HalfOpen => _ = opened.get_or_insert(*change),
                BreakerState::Closed => {
                    if let Some(opened) = opened.take() {
                        all.push(Self { closed_before, opened, closed: Some(*change) });
                    }
                    closed_before = Some(change.t);
                }
            }
        }
        all.extend(opened.map(|opened| Self { closed_before, opened, closed: None }));
        all
    }

    /// How long it may last where Redis is well. One that opens again at once may double its cool-down once more.
    fn most(&self, index: &Index<'_>) -> u64 {
        let rules = index.rules();
        let within = nanos(rules.close_within).saturating_add(index.slack());
        let at_once = self
            .closed_before
            .is_some_and(|closed| self.opened.t.saturating_sub(closed) < nanos(rules.breaker.cool_down));
        if at_once && self.closed.is_some() {
            // With its jitter.
            within.saturating_add(nanos(rules.breaker.cool_down_max).saturating_mul(2))
        } else {
            within
        }
    }
}

/// After the last fault on the instance the breaker must never be away from closed for longer than it takes to close.
fn closes(index: &Index<'_>, instance: u16, changes: &[Change], tally: &mut Tally) {
    let healed = index.faults.end_for(instance).unwrap_or(0);
    let within = nanos(index.rules().close_within).saturating_add(index.slack());
    let over = index.over_of(instance);
    if healed.saturating_add(within) > over {
        return;
    }
    let too_long = |away: &Away| {
        let until = away.closed.map_or(over, |closed| closed.t);
        until.saturating_sub(away.opened.t.max(healed)) > away.most(index)
    };
    let Some(away) = Away::all(changes).into_iter().find(too_long) else { return tally.judged() };
    let opened = away.opened;
    let deadline = opened.t.max(healed).saturating_add(away.most(index));
    let last = changes.iter().rev().find(|change| change.t <= deadline).unwrap_or(&opened);
    let state = named(state_at(changes, deadline));
    let deadline = words::seconds(deadline);
    tally.broken(last.entry, || {
        if opened.t <= healed {
            let who = index.who(instance);
            let says = format!(
                "the last fault on {who} ended at {}; its breaker was not closed again by {deadline}: it was {state}",
                words::seconds(healed),
            );
            return (says, vec![last.entry]);
        }
        let closed = away.closed.map(|closed| format!(", but at {}", words::seconds(closed.t)));
        let who = index.who(instance);
        let says = format!(
            "the breaker of {who} opened at {}, after the last fault, and was not closed again by {deadline}{}: it was {state}",
            words::seconds(opened.t),
            closed.unwrap_or_default(),
        );
        (says, std::iter::once(opened.entry).chain(away.closed.map(|closed| closed.entry)).collect())
    });
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

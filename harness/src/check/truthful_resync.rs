//! A part of I18: what an instance says waits for its resync agrees with what it says of the resync itself, and with what it has
//! accepted.

use super::breaker_live::succeeded;
use super::doubts::Doubts;
use super::faults::Fault;
use super::index::{Index, Moment, Operation, OperationId};
use super::resyncs::{self, Bringing, End, Work};
use super::tally::Tally;
use super::words;
use crate::history::{Event, ServedBy};
use crate::load::Kind;

/// A measurement may be as old as this: an instance tells one every second or so.
const STALE: u64 = 2_000_000_000;

/// How many sessions an instance said wait for its resync.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    at: Moment,
    sessions: u64,
}

pub(super) fn judge(index: &Index<'_>, tally: &mut Tally) {
    let waiting = waiting(index);
    for ((instance, resyncs), waiting) in (0..).zip(resyncs::all(index)).zip(&waiting) {
        if waiting.is_empty() {
            continue;
        }
        for fault in index.faults.all.iter().filter(|fault| fault.effect.total && fault.strikes(instance)) {
            nothing_though_accepted(index, instance, fault, waiting, tally);
        }
        let wire = index.wire().get(usize::from(instance));
        // A class of calls whose own breaker is open, which nobody tells, may keep sessions waiting.
        let finishes = |resync: &Bringing| matches!(resync.end, Some((_, End::Finished(_))));
        let tells = wire.is_some_and(|wire| wire.seen && !wire.garbled) && index.rules().breaker.alone;
        if tells && resyncs.iter().any(finishes) {
            let (work, doubts) = (Work::of(index, instance), Doubts::of(index, instance));
            for (place, resync) in resyncs.iter().enumerate() {
                let next = resyncs.get(place + 1).map_or(u64::MAX, |next| next.from.t);
                something_though_finished(index, instance, (resync, next), waiting, (&work, &doubts), tally);
            }
        }
    }
}

/// What each instance told, in order.
fn waiting(index: &Index<'_>) -> Vec<Vec<Waiting>> {
    let mut waiting = vec![Vec::new(); index.instances()];
    for (entry, line) in index.told() {
        let Event::Sample { instance, what } = line.e else { continue };
        if let (Some(of_it), Some(sessions)) = (waiting.get_mut(usize::from(instance)), what.dirty) {
            of_it.push(Waiting { at: Moment { t: line.t, entry }, sessions });
        }
    }
    waiting
}

/// While no call can reach Redis, what was accepted locally waits.
fn nothing_though_accepted(
    index: &Index<'_>,
    instance: u16,
    fault: &Fault,
    waiting: &[Waiting],
    tally: &mut Tally,
) {
    let (from, to) = (fault.on.0, fault.asked_off.unwrap_or(u64::MAX));
    let accepted = index.operations_within(instance, from, to).filter(|(_, operation)| {
        let keeps = matches!(operation.kind, Kind::Create | Kind::Update | Kind::Touch);
        keeps && operation.served_by() == Some(ServedBy::Local)
    });
    let Some((id, end)) = accepted.filter_map(|(id, one)| Some((id, one.end?))).min_by_key(|(_, end)| *end)
    else {
        return;
    };
    let since = end.t.saturating_add(STALE);
    for sample in waiting.iter().filter(|sample| sample.at.t > since && sample.at.t < to) {
        if sample.sessions > 0 {
            tally.judged();
        } else if lives(index, id, sample.at.t) && !succeeded(index, instance, from, sample.at.t) {
            tally.broken(sample.at.entry, || {
                let who = index.who(instance);
                let says = format!(
                    "{who} accepted {}, and {} let nothing through to Redis from {}; yet it said at {} that nothing waits for \
                     its resync",
                    words::operation(index, id),
                    fault.what,
                    words::seconds(from),
                    words::seconds(sample.at.t),
                );
                let entries = index.operation(id).entries();
                (says, entries.chain([fault.on.1, sample.at.entry]).collect())
            });
        }
    }
}

/// Whether the session that was written surely lives until `t`, so that there is something to bring.
fn lives(index: &Index<'_>, id: OperationId, t: u64) -> bool {
    let written = index.operation(id);
    let Some(log) = index.sessions.get(&written.session) else { return false };
    let until = t.saturating_add(index.slack());
    let ends = |operation: &Operation| match operation.kind {
        Kind::Destroy => operation.end.is_none_or(|end| end >= written.invoke),
        // One that ended before is not the one that was written.
        Kind::Create | Kind::Touch => {
            let ends = operation.invoke.t.saturating_add(operation.ttl.unwrap_or(0));
            ends <= until && ends.saturating_add(index.slack()) >= written.invoke.t
        }
        Kind::Update | Kind::Get | Kind::Ttl => false,
    };
    let begun = log.operations.iter().map(|id| index.operation(*id)).filter(|one| one.invoke.t <= until);
    !begun.filter(|one| !one.never_happened()).any(ends)
}

/// Long after a resync that finished nothing waits that the instance has not written since; or another resync has begun.
fn something_though_finished(
    index: &Index<'_>,
    instance: u16,
    (resync, next): (&Bringing, u64),
    waiting: &[Waiting],
    (work, doubts): (&Work<'_>, &Doubts),
    tally: &mut Tally,
) {
    let Some((finished, End::Finished(_))) = resync.end else { return };
    let long = index.resync_within().saturating_add(STALE);
    let mut since: Option<Waiting> = None;
    let after = waiting.partition_point(|sample| sample.at.t <= finished.t.saturating_add(STALE));
    // Later so much has been written that nothing is known of what waits.
    let next = next.min(finished.t.saturating_add(long.saturating_mul(3)));
    for sample in waiting[after..].iter().take_while(|sample| sample.at.t < next) {
        if work.leaves(sample.sessions, resync.from.t, sample.at.t, resync) {
            since = None;
            tally.judged();
            continue;
        }
        let first = *since.get_or_insert(*sample);
        if sample.at.t.saturating_sub(first.at.t) > long && doubts.none(index, resync.from.t, sample.at.t) {
            return tally.broken(sample.at.entry, || {
                let known = work.left_to_bring(resync.from.t, sample.at.t, resync);
                let who = index.who(instance);
                let says = format!(
                    "{who} said at {} that its resync had finished, and wrote {} sessions since that Redis may lack; yet from {} \
                     to {} it said that more wait, {} in the end, and began no other",
                    words::seconds(finished.t),
                    known,
                    words::seconds(first.at.t),
                    words::seconds(sample.at.t),
                    sample.sessions,
                );
                (says, vec![finished.entry, first.at.entry, sample.at.entry])
            });
        }
    }
}

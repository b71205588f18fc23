//! I18: what an instance says of itself agrees with what is seen of it.

use super::breaker_safe::Change;
use super::index::{Index, Moment, Operation, OperationId, nanos};
use super::tally::{Tally, Words};
use super::{Check, Finding, truthful_resync, truthful_service, words};
use crate::history::{BreakerState, Capability, Event, Mode, ServedBy};
use crate::load::Kind;

/// So many operations of a kind that Redis serves in a row are no trials.
const IN_A_ROW: usize = 5;

/// I18.
pub(super) struct TruthfulTelemetry;

/// A stretch in which an instance says the same of itself.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Moment,
    to: Moment,
}

impl Check for TruthfulTelemetry {
    fn name(&self) -> &'static str {
        "I18"
    }

    fn title(&self) -> &'static str {
        "truthful telemetry"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for instance in 0..index.lives.count() {
            let changes = index.changes(instance);
            for open in stretches(index, instance, changes, |change| change.to == BreakerState::Open) {
                while_open(index, instance, open, &mut tally);
            }
            if index.rules().breaker.alone {
                for local in local_stretches(index, instance) {
                    while_local(index, instance, local, changes, &mut tally);
                }
            }
            if index.can(Capability::Breaker) {
                while_closed(index, instance, changes, &mut tally);
            }
        }
        truthful_service::judge(index, &mut tally);
        if index.can(Capability::Resync) {
            truthful_resync::judge(index, &mut tally);
        }
        let held = format!("{} words of instances agree with what was seen of them", tally.count());
        tally.finding(self, index, Words { held, unseen: unseen(index) })
    }
}

/// Why nothing could be compared, and what would help.
fn unseen(index: &Index<'_>) -> String {
    let by_redis = index.operations.iter().filter(|one| one.served_by() == Some(ServedBy::Redis)).count();
    if by_redis > 0 && index.wire().iter().all(|wire| !wire.seen) {
        return format!(
            "Redis is said to have served {by_redis} operations, and no connection of any instance was seen on the way to it; a client \
             that goes by the address which it is given, in a world with a recording tap, would make it known"
        );
    }
    "no instance said anything that could be compared with a wire log; operations that Redis serves, in a world with a recording tap, \
     would make it known"
        .to_owned()
}

/// The stretches that begin with a change that is `meant` and end with the next.
fn stretches(
    index: &Index<'_>,
    instance: u16,
    changes: &[Change],
    meant: impl Fn(&Change) -> bool,
) -> Vec<Stretch> {
    let over = Moment { t: index.load_over().min(index.over_of(instance)), entry: usize::MAX };
    let ends = changes.iter().skip(1).map(|next| Moment { t: next.t, entry: next.entry }).chain([over]);
    let both = changes.iter().zip(ends).filter(|(change, _)| meant(change));
    both.map(|(change, to)| Stretch { from: Moment { t: change.t, entry: change.entry }, to }).collect()
}

/// The stretches in which it says that it serves operations itself.
fn local_stretches(index: &Index<'_>, instance: u16) -> Vec<Stretch> {
    let (mut found, mut since) = (Vec::new(), None);
    for (entry, line) in index.told() {
        let Event::Mode { instance: number, to } = line.e else { continue };
        if number != instance {
            continue;
        }
        let moment = Moment { t: line.t, entry };
        match to {
            Mode::Local => _ = since.get_or_insert(moment),
            Mode::Redis => found.extend(since.take().map(|from| Stretch { from, to: moment })),
        }
    }
    let over = Moment { t: index.load_over().min(index.over_of(instance)), entry: usize::MAX };
    found.extend(since.map(|from| Stretch { from, to: over }));
    found
}

/// The operations of the instance that began and ended in the stretch, more than e from its ends.
fn within<'a>(
    index: &'a Index<'_>,
    instance: u16,
    stretch: Stretch,
) -> impl Iterator<Item = (OperationId, &'a Operation)> {
    let from = stretch.from.t.saturating_add(index.slack());
    let to = stretch.to.t.saturating_sub(index.slack());
    let begun = index.operations_after(instance, from);
    let begun = begun.take_while(move |(_, operation)| operation.invoke.t < to);
    begun.filter(move |(_, operation)| operation.end.is_some_and(|end| end.t < to))
}

/// While its breaker is open nothing goes to Redis, so Redis serves nothing.
fn while_open(index: &Index<'_>, instance: u16, open: Stretch, tally: &mut Tally) {
    for (id, operation) in within(index, instance, open).filter(|(_, operation)| operation.answered()) {
        if operation.served_by() != Some(ServedBy::Redis) {
            tally.judged();
            continue;
        }
        tally.broken(operation.end.map_or(0, |end| end.entry), || {
            let who = index.who(instance);
            let says = format!(
                "{who} said that its breaker was open since {}; yet {} was answered by Redis",
                words::seconds(open.from.t),
                words::operation(index, id),
            );
            let next = Some(open.to.entry).filter(|entry| *entry != usize::MAX);
            (says, operation.entries().chain([open.from.entry]).chain(next).collect())
        });
    }
}

/// While it says that it serves operations itself, Redis does not serve reads and writes alike for long.
fn while_local(index: &Index<'_>, instance: u16, local: Stretch, changes: &[Change], tally: &mut Tally) {
    let before = changes.iter().rev().find(|change| change.t <= local.from.t);
    let meanwhile = changes.iter().filter(|change| (local.from.t..=local.to.t).contains(&change.t));
    // What an open or half-open breaker lets through is judged by its own word.
    if before.into_iter().chain(meanwhile).any(|change| change.to != BreakerState::Closed) {
        return;
    }
    let mut ended: Vec<(OperationId, &Operation)> = within(index, instance, local).collect();
    ended.sort_by_key(|(_, operation)| operation.end);
    let mut row: Vec<OperationId> = Vec::new();
    let (mut reads, mut writes) = (0, 0);
    for (id, operation) in ended {
        if operation.served_by() != Some(ServedBy::Redis) {
            tally.judged();
            (reads, writes) = (0, 0);
            row.clear();
            continue;
        }
        row.push(id);
        match operation.kind {
            Kind::Get | Kind::Ttl => reads += 1,
            Kind::Create | Kind::Update | Kind::Touch | Kind::Destroy => writes += 1,
        }
        if reads >= IN_A_ROW && writes >= IN_A_ROW {
            return served_all_the_same(index, instance, local, &row, tally);
        }
    }
}

fn served_all_the_same(
    index: &Index<'_>,
    instance: u16,
    local: Stretch,
    row: &[OperationId],
    tally: &mut Tally,
) {
    let (Some(first), Some(last)) = (row.first(), row.last()) else { return };
    let end = index.operation(*last).end.map_or(0, |end| end.entry);
    tally.broken(end, || {
        let who = index.who(instance);
        let says = format!(
            "{who} said at {} that it serves operations itself, and has not said otherwise by {}; yet Redis answered {} of \
             them in a row, first {}, last {}",
            words::seconds(local.from.t),
            words::seconds(local.to.t),
            row.len(),
            words::operation(index, *first),
            words::operation(index, *last),
        );
        let both = [first, last].map(|id| index.operation(*id));
        (says, [local.from.entry].into_iter().chain(both.iter().flat_map(|both| both.entries())).collect())
    });
}

/// Through a closed breaker calls go to Redis: long after all faults, an instance that takes every write itself, with nothing on the
/// wire, does not have a closed one.
fn while_closed(index: &Index<'_>, instance: u16, changes: &[Change], tally: &mut Tally) {
    let rules = index.rules();
    let long = nanos(rules.close_within).max(index.resync_within()).saturating_add(index.slack());
    let closed = match changes.last() {
        None => 0,
        Some(last) if last.to == BreakerState::Closed => last.t,
        Some(_) => return,
    };
    let from = closed.max(index.faults.end_for(instance).unwrap_or(0)).saturating_add(long);
    let Some(wire) = index.wire().get(usize::from(instance)).filter(|wire| wire.seen) else { return };
    // From its last sign on the wire until the load was over.
    let silent = wire.last_of_load.unwrap_or(0).max(from);
    let kept = index.operations_after(instance, silent);
    let kept = kept.filter(|(_, operation)| !matches!(operation.kind, Kind::Get | Kind::Ttl));
    let kept: Vec<(OperationId, &Operation)> = kept.collect();
    let (Some((first, one)), Some((last, other))) = (kept.first(), kept.last()) else { return };
    let by_redis = kept.iter().any(|(_, operation)| operation.served_by() == Some(ServedBy::Redis));
    let end = other.end.filter(|end| end.t.saturating_sub(one.invoke.t) > long);
    let (false, true, Some(end)) = (by_redis, kept.len() >= IN_A_ROW, end) else { return };
    tally.broken(end.entry, || {
        let who = index.who(instance);
        let says = format!(
            "{who} said that its breaker was closed since {}; yet Redis got none of {} writes, and nothing crossed the wire: first \
             {}, last {}",
            words::seconds(closed),
            kept.len(),
            words::operation(index, *first),
            words::operation(index, *last),
        );
        let said = changes.last().map(|change| change.entry);
        (says, one.entries().chain(other.entries()).chain(said).collect())
    });
}

//! Updates and touches of a session that, unknown to the writer, another instance had ended and made again, or kept alive beyond
//! the end that the writer knew of.
//!
//! Two instances that are cut off from each other cannot tell. One destroys the session and creates it anew; the other goes on
//! with its copy of the first, and its update is acknowledged. It was made to a session that no longer was. Or the writer's copy
//! reaches its expiry before Redis is back, and the update ends with it, while another instance had created the session anew or
//! extended it. Whether such an update shows depends on who reaches Redis first, and both are right. So no check demands it, and
//! none forbids it.

use std::collections::BTreeSet;

use super::index::{Index, Operation, OperationId, nanos};
use super::reads::{self, Seen};
use crate::history::ServedBy;
use crate::load::Kind;

/// For each instance what it did that ends or makes the session: when it began, and when everything begun so far was over. What
/// may yet happen is never over.
#[derive(Default)]
struct Lane {
    /// Destroys that Redis acknowledged.
    in_redis: Spans,
    /// All other destroys.
    elsewhere: Spans,
    creates: Spans,
}

/// Something that sets the session's expiry.
struct Setter {
    instance: u16,
    start: u64,
    /// When it was over; what may yet happen never is.
    over: u64,
    /// The expiry that it sets, at the earliest.
    expires: u64,
    /// Whether Redis surely had it when it was over.
    in_redis: bool,
}

/// In the order of their starts.
#[derive(Default)]
struct Spans(Vec<(u64, u64)>);

/// Since when an instance has known that the session is alive.
#[derive(Clone, Copy, Default)]
struct Known {
    /// It created the session itself.
    created: u64,
    /// Redis said so.
    from_redis: u64,
    /// It set the session's expiry itself.
    set: u64,
}

impl Spans {
    fn add(&mut self, operation: &Operation) {
        let end = operation.end.filter(|_| operation.acknowledged()).map_or(u64::MAX, |end| end.t);
        let over = self.0.last().map_or(end, |(_, over)| end.max(*over));
        self.0.push((operation.invoke.t, over));
    }

    /// The start of the first that was not over at `t`.
    fn first_not_over(&self, t: u64) -> Option<u64> {
        self.0.get(self.0.partition_point(|(_, over)| *over < t)).map(|(start, _)| *start)
    }

    /// Whether one that started before `until` was not over at `t`.
    fn any(&self, t: u64, until: u64) -> bool {
        self.first_not_over(t).is_some_and(|start| start < until)
    }
}

/// Those among the operations of one session, which are in the order of their starts.
pub(crate) fn overtaken(index: &Index<'_>, operations: &[OperationId]) -> BTreeSet<OperationId> {
    let lanes = lanes(index, operations);
    let setters = setters(index, operations);
    let mut known = vec![Known::default(); lanes.len()];
    let mut found = BTreeSet::new();
    for id in operations {
        let operation = index.operation(*id);
        let instance = usize::from(operation.instance);
        learn(index, *id, &mut known[instance]);
        let changes = matches!(operation.kind, Kind::Update | Kind::Touch);
        let known = known[instance];
        if changes
            && operation.acknowledged()
            && (made_again(index, operation, &lanes, known) || lived_on(index, operation, &setters, known))
        {
            found.insert(*id);
        }
    }
    found
}

fn lanes(index: &Index<'_>, operations: &[OperationId]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = std::iter::repeat_with(Lane::default).take(index.instances()).collect();
    for operation in operations.iter().map(|id| index.operation(*id)) {
        let lane = &mut lanes[usize::from(operation.instance)];
        if operation.never_happened() {
            continue;
        }
        match (operation.kind, operation.served_by()) {
            (Kind::Create, _) => lane.creates.add(operation),
            (Kind::Destroy, Some(ServedBy::Redis)) => lane.in_redis.add(operation),
            (Kind::Destroy, Some(ServedBy::Local) | None) => lane.elsewhere.add(operation),
            (Kind::Update | Kind::Touch | Kind::Get | Kind::Ttl, _) => {}
        }
    }
    lanes
}

fn learn(index: &Index<'_>, id: OperationId, known: &mut Known) {
    let operation = index.operation(id);
    let Some(served_by) = operation.served_by() else { return };
    let start = operation.invoke.t;
    let saw_it = match operation.kind {
        Kind::Create => {
            (known.created, known.set) = (start, start);
            true
        }
        Kind::Touch => {
            known.set = start;
            true
        }
        Kind::Update => true,
        Kind::Destroy => false,
        Kind::Get | Kind::Ttl => {
            let seen = reads::of_operation(index, id).map(|read| read.seen);
            matches!(seen, Some(Seen::Value(_) | Seen::There(_)))
        }
    };
    if saw_it && served_by == ServedBy::Redis {
        known.from_redis = start;
    }
}

/// Whether another instance may have ended the session and made it again.
fn made_again(index: &Index<'_>, operation: &Operation, lanes: &[Lane], known: Known) -> bool {
    let slack = index.slack();
    let until = operation.end.map_or(u64::MAX, |end| end.t.saturating_add(slack));
    let others = || {
        let own = usize::from(operation.instance);
        lanes.iter().enumerate().filter(move |(number, _)| *number != own).map(|(_, lane)| lane)
    };
    // What Redis had acknowledged before it said that the session is alive ended an earlier one; so did what was over before
    // the writer made this one.
    let (created, told) = (known.created.saturating_sub(slack), known.from_redis.max(known.created));
    let ended = others().flat_map(|lane| {
        [lane.in_redis.first_not_over(told.saturating_sub(slack)), lane.elsewhere.first_not_over(created)]
    });
    let Some(ended) = ended.flatten().min().filter(|start| *start < until) else { return false };
    others().any(|lane| lane.creates.any(ended, until))
}

fn setters(index: &Index<'_>, operations: &[OperationId]) -> Vec<Setter> {
    let sets = operations.iter().map(|id| index.operation(*id)).filter(|operation| {
        matches!(operation.kind, Kind::Create | Kind::Touch) && !operation.never_happened()
    });
    sets.map(|operation| Setter {
        instance: operation.instance,
        start: operation.invoke.t,
        over: operation.end.filter(|_| operation.acknowledged()).map_or(u64::MAX, |end| end.t),
        expires: operation.invoke.t.saturating_add(operation.ttl.unwrap_or(u64::MAX)),
        in_redis: operation.acknowledged() && operation.served_by() == Some(ServedBy::Redis),
    })
    .collect()
}

/// Whether the copy that was written to may have expired, in the instance or in Redis, before it met that of another instance,
/// which kept the session.
fn lived_on(index: &Index<'_>, operation: &Operation, setters: &[Setter], known: Known) -> bool {
    let (Some(served_by), Some(end)) = (operation.served_by(), operation.end) else { return false };
    let (own, slack) = (operation.instance, index.slack());
    let brought = index.settled_after(end.t);
    // What was over before the instance set the expiry itself no longer counts. No operation lasts longer than its budget.
    let budget = nanos(index.rules().response_within);
    let oldest = known.set.saturating_sub(budget.saturating_add(slack));
    let first = setters.partition_point(|setter| setter.start < oldest);
    let begun = setters.partition_point(|setter| setter.start <= end.t.saturating_add(slack));
    let mut may_hold = setters[first..begun.max(first)].iter().filter(|setter| setter.over >= known.set);
    if !may_hold.any(|setter| setter.expires <= brought) {
        return false;
    }
    let told = known.from_redis.saturating_sub(slack);
    if served_by == ServedBy::Redis {
        // Redis had the write at once; only what another instance had kept to itself until then can be brought after it.
        let kept_back =
            |setter: &Setter| !setter.in_redis && index.settled_after(setter.over) >= operation.invoke.t;
        return setters[..begun].iter().any(|setter| setter.instance != own && kept_back(setter));
    }
    let until = setters.partition_point(|setter| setter.start <= brought);
    setters[..until].iter().rev().any(|setter| setter.instance != own && setter.over >= told)
}

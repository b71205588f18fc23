//! Updates and touches of a session that, unknown to the writer, another instance had ended and made again, or kept alive beyond
//! the end that the writer knew of.
//!
//! Two instances that are cut off from each other cannot tell. One destroys the session and creates it anew; the other goes on
//! with its copy of the first, and its update is acknowledged. It was made to a session that no longer was. Or the writer's copy
//! reaches its expiry before Redis is back, and the update ends with it, while another instance had created the session anew or
//! extended it. Or what Redis had, a create too, ends there before another instance brings a copy that it had kept to itself and
//! extended. Whether such an update shows depends on who reaches Redis first, and both are right. So no check demands it, and
//! none forbids it.

use super::index::{Index, Operation, OperationId};
use super::reads::{self, Seen};
use super::setters::Setters;
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

    /// The start of the first whose end, and all before it, is not so. An end is so if a later one is.
    fn first_not(&self, is_so: impl Fn(u64) -> bool) -> Option<u64> {
        self.0.get(self.0.partition_point(|(_, over)| is_so(*over))).map(|(start, _)| *start)
    }

    /// The start of the first that was not over at `t`.
    fn first_not_over(&self, t: u64) -> Option<u64> {
        self.first_not(|over| over < t)
    }

    /// Whether one that started before `until` was not over at `t`.
    fn any(&self, t: u64, until: u64) -> bool {
        self.first_not_over(t).is_some_and(|start| start < until)
    }
}

/// Those among the operations of one session, which are in the order of their starts.
pub(crate) fn overtaken(index: &Index<'_>, operations: &[(OperationId, Operation)]) -> Vec<OperationId> {
    let mut instances = operations.iter().map(|(_, operation)| operation.instance);
    let first = instances.next();
    // It takes two.
    if instances.all(|other| Some(other) == first) {
        return Vec::new();
    }
    let lanes = lanes(index, operations);
    let setters = Setters::new(operations.iter().map(|(_, operation)| operation), index.slack());
    let mut known = vec![Known::default(); lanes.len()];
    let mut found = Vec::new();
    for (id, operation) in operations {
        let instance = usize::from(operation.instance);
        learn(index, *id, operation, &mut known[instance]);
        let changes = matches!(operation.kind, Kind::Update | Kind::Touch);
        let known = known[instance];
        let made = operation.kind == Kind::Create && operation.served_by() == Some(ServedBy::Redis);
        if operation.acknowledged()
            && (changes && made_again(index, operation, &lanes, known)
                || (changes || made) && lived_on(index, operation, &setters, known))
        {
            found.push(*id);
        }
    }
    found
}

fn lanes(index: &Index<'_>, operations: &[(OperationId, Operation)]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = std::iter::repeat_with(Lane::default).take(index.instances()).collect();
    for (_, operation) in operations {
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

fn learn(index: &Index<'_>, id: OperationId, operation: &Operation, known: &mut Known) {
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
            let seen = reads::of_operation(index, id, operation).map(|read| read.seen);
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
    // the writer made this one. What was kept back, or acknowledged and then forgotten, Redis has once it has settled.
    let created = known.created.saturating_sub(slack);
    let told = known.from_redis.max(known.created).saturating_sub(slack);
    let settled = |over: u64| index.brings_local_writes() && index.settled_after(over) < told;
    let forgotten = Some(index.faults.forgotten_before(told)).filter(|forgotten| !settled(*forgotten));
    let ended = others().flat_map(|lane| {
        let kept_back = lane.elsewhere.first_not(|over| over < created || settled(over));
        let brought_again =
            lane.in_redis.first_not_over(created).filter(|start| forgotten.is_some_and(|at| *start < at));
        [lane.in_redis.first_not_over(told), kept_back, brought_again]
    });
    let Some(ended) = ended.flatten().min().filter(|start| *start < until) else { return false };
    others().any(|lane| lane.creates.any(ended, until))
}

/// Whether the copy that was written to may have expired, in the instance or in Redis, before it met that of another instance,
/// which kept the session.
fn lived_on(index: &Index<'_>, operation: &Operation, setters: &Setters, known: Known) -> bool {
    let (Some(served_by), Some(end)) = (operation.served_by(), operation.end) else { return false };
    let (own, slack) = (operation.instance, index.slack());
    let brought = index.settled_after(end.t);
    // What was over before the instance set the expiry itself no longer counts.
    let may_expire = |by| setters.may_expire(known.set, end.t.saturating_add(slack), by);
    if !may_expire(brought) {
        return false;
    }
    let lost = index.faults.forgotten_before(brought) > operation.invoke.t;
    if served_by == ServedBy::Redis && !lost {
        // Redis had the write at once; only what another instance keeps to itself until that copy has ended can be brought after it,
        // or what was on its way meanwhile.
        let kept_back = setters.kept_back_by_others(own, brought);
        let slow = setters.slow_of_others(own, brought).filter(|over| *over >= operation.invoke.t);
        return kept_back.is_some_and(|over| index.settled_after(over) >= operation.invoke.t)
            || slow.is_some_and(|over| may_expire(over.saturating_add(slack)));
    }
    let told = known.from_redis.saturating_sub(slack);
    setters.over_of_others(own, brought).is_some_and(|over| over >= told)
}

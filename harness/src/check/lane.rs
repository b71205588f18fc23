//! What one instance did to a session, arranged so that what of it had ended by a moment is found in O(log n).

use super::index::Index;
use super::operation::{Moment, Operation, OperationId};
use super::place::Place;
use super::reads::{self, Seen};
use crate::history::ServedBy;
use crate::load::Kind;

/// The facts that a session is made of, and what else a write says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// Its value: create, update.
    Value,
    /// Its expiry: create, touch.
    Expiry,
    /// Its creation: create.
    Creation,
    /// Its destruction: destroy.
    Destruction,
    /// That it was alive: create, update, touch.
    Life,
}

const FACTS: usize = 5;

/// What one instance did to the session.
#[derive(Default)]
pub(crate) struct Lane {
    pub(crate) instance: u16,
    /// What it read: places in the session's reads, in the order in which it asked.
    pub(crate) reads: Vec<u32>,
    /// Its acknowledged creates, updates and destroys, in the order in which they were invoked.
    pub(crate) writes: Vec<Place>,
    /// Its acknowledged writes in the order of their ends.
    ended: Vec<Ended>,
    /// Its acknowledged creates and destroys, in the order in which they were invoked.
    pub(crate) creates: Begun,
    pub(crate) destroys: Begun,
    /// Whether some of its operations that ended overlap; and when the last of them ended.
    pub(crate) overlaps: bool,
    last_end: Option<Moment>,
    /// Its first read that saw the session alive, and the first of them that Redis served.
    sighted: Place,
    sighted_in_redis: Place,
}

/// An acknowledged write, and what had ended when it did.
pub(crate) struct Ended {
    end: Moment,
    /// By fact, of those that had ended, the one that was invoked last.
    all: [Place; FACTS],
    /// The same of those that Redis acknowledged.
    by_redis: [Place; FACTS],
    /// The same of those that replicas have, too.
    by_replicas: [Place; FACTS],
    /// How many had set the expiry; how many of them Redis acknowledged.
    setters: u32,
    setters_by_redis: u32,
}

/// Which acknowledgements count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    ByAnyone,
    ByRedis,
    OnReplicas,
}

/// Operations in the order in which they were invoked; for each the one that ended last so far.
#[derive(Default)]
pub(crate) struct Begun(Vec<(Moment, Place)>);

impl Fact {
    pub(crate) const ALL: [Self; FACTS] =
        [Self::Value, Self::Expiry, Self::Creation, Self::Destruction, Self::Life];

    pub(crate) fn set_by(self, kind: Kind) -> bool {
        match self {
            Self::Value => matches!(kind, Kind::Create | Kind::Update),
            Self::Expiry => matches!(kind, Kind::Create | Kind::Touch),
            Self::Creation => kind == Kind::Create,
            Self::Destruction => kind == Kind::Destroy,
            Self::Life => matches!(kind, Kind::Create | Kind::Update | Kind::Touch),
        }
    }
}

impl Lane {
    pub(crate) fn new(instance: u16) -> Self {
        Self { instance, ..Self::default() }
    }

    /// Takes an operation; they come in the order in which they were invoked.
    pub(crate) fn began(&mut self, operation: &Operation) {
        if let Some(end) = operation.end {
            self.overlaps |= self.last_end.is_some_and(|before| before > operation.invoke);
            self.last_end = Some(end);
        }
    }

    /// Takes an operation that ended; they come in the order of their ends.
    pub(crate) fn ended(&mut self, index: &Index<'_>, id: OperationId, operation: &Operation, end: Moment) {
        let Some(served_by) = operation.served_by() else { return };
        self.wrote(operation, id, end, served_by);
        let seen = reads::of_operation(index, id, operation).map(|read| read.seen);
        if matches!(seen, Some(Seen::Value(_) | Seen::There(_))) {
            if self.sighted == Place::NONE {
                self.sighted = Place::of(id);
            }
            if served_by == ServedBy::Redis && self.sighted_in_redis == Place::NONE {
                self.sighted_in_redis = Place::of(id);
            }
        }
    }

    fn wrote(&mut self, operation: &Operation, id: OperationId, end: Moment, served_by: ServedBy) {
        if matches!(operation.kind, Kind::Get | Kind::Ttl) {
            return;
        }
        let by_redis = served_by == ServedBy::Redis;
        let mut ended = self.ended.last().map_or_else(|| Ended::first(end), |last| last.before(end));
        for fact in Fact::ALL.into_iter().filter(|fact| fact.set_by(operation.kind)) {
            // Of two operations the greater name was invoked later.
            let (all, in_redis) = (&mut ended.all[fact as usize], &mut ended.by_redis[fact as usize]);
            *all = Place::of(id).max(*all);
            if by_redis {
                *in_redis = Place::of(id).max(*in_redis);
            }
            if operation.replicated() {
                let on_replicas = &mut ended.by_replicas[fact as usize];
                *on_replicas = Place::of(id).max(*on_replicas);
            }
        }
        let sets = u32::from(Fact::Expiry.set_by(operation.kind));
        ended.setters += sets;
        ended.setters_by_redis += sets * u32::from(by_redis);
        self.ended.push(ended);
    }

    /// How many operations that ended as early as `is_early` says set the expiry.
    pub(crate) fn setters(&self, acknowledged: Acknowledged, is_early: impl Fn(Moment) -> bool) -> usize {
        let last = self.last(is_early);
        let count = last.map_or(0, |last| match acknowledged {
            Acknowledged::ByAnyone => last.setters,
            Acknowledged::ByRedis | Acknowledged::OnReplicas => last.setters_by_redis,
        });
        count as usize
    }

    /// Its first read that saw the session alive.
    pub(crate) fn sighted(&self, acknowledged: Acknowledged) -> Option<OperationId> {
        match acknowledged {
            Acknowledged::ByAnyone => self.sighted.get(),
            Acknowledged::ByRedis | Acknowledged::OnReplicas => self.sighted_in_redis.get(),
        }
    }

    /// The lists have their sizes for good.
    pub(crate) fn shrink(&mut self) {
        self.reads.shrink_to_fit();
        self.writes.shrink_to_fit();
        self.ended.shrink_to_fit();
        self.creates.0.shrink_to_fit();
        self.destroys.0.shrink_to_fit();
    }

    /// How many of its writes had ended before `t`, if `count` of them surely had.
    pub(crate) fn ended_before(&self, t: Moment, count: u32) -> u32 {
        let more = self.ended[count as usize..].iter().take_while(|ended| ended.end < t);
        count.saturating_add(u32::try_from(more.count()).unwrap_or(u32::MAX))
    }

    /// What had ended when so many of its writes had.
    pub(crate) fn after(&self, count: u32) -> Option<&Ended> {
        count.checked_sub(1).and_then(|last| self.ended.get(last as usize))
    }

    /// What had ended by the last of the ends that are as early as `is_early` says.
    pub(crate) fn last(&self, is_early: impl Fn(Moment) -> bool) -> Option<&Ended> {
        // Most questions are about a time when all had ended.
        if let Some(last) = self.ended.last().filter(|last| is_early(last.end)) {
            return Some(last);
        }
        self.ended.partition_point(|ended| is_early(ended.end)).checked_sub(1).map(|last| &self.ended[last])
    }
}

impl Ended {
    fn first(end: Moment) -> Self {
        let none = [Place::NONE; FACTS];
        Self { end, all: none, by_redis: none, by_replicas: none, setters: 0, setters_by_redis: 0 }
    }

    /// Of a fact the operation invoked last among those that had ended.
    pub(crate) fn latest(&self, fact: Fact, acknowledged: Acknowledged) -> Option<OperationId> {
        let latest = match acknowledged {
            Acknowledged::ByAnyone => &self.all,
            Acknowledged::ByRedis => &self.by_redis,
            Acknowledged::OnReplicas => &self.by_replicas,
        };
        latest[fact as usize].get()
    }

    /// What ended next, before it is counted itself.
    fn before(&self, end: Moment) -> Self {
        Self { end, ..*self }
    }
}

impl Begun {
    /// Takes the next operation.
    pub(crate) fn add(&mut self, index: &Index<'_>, id: OperationId) {
        let ended = |id: &OperationId| index.operation(*id).end;
        let last = self.0.last().and_then(|(_, last)| last.get());
        let last = [last, Some(id)].into_iter().flatten().max_by_key(ended);
        self.0.push((index.operation(id).invoke, Place::from(last)));
    }

    /// Of those invoked before `until` the one that ended last.
    pub(crate) fn last_ended(&self, until: Moment) -> Option<OperationId> {
        let count = self.0.partition_point(|(invoke, _)| *invoke < until);
        count.checked_sub(1).and_then(|last| self.0[last].1.get())
    }
}

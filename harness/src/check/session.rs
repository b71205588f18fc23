//! What happened to one session, arranged so that each question about a read is answered in O(log n): what must it have known,
//! what may have superseded what it saw, when may the session have expired.

use std::collections::{BTreeMap, BTreeSet};

use super::expiry::{Expiries, ExpiryRange};
use super::index::{Index, Moment, Operation, OperationId, nanos};
use super::overtaken;
use super::reads::{self, Read, Seen, View};
use crate::history::{Reader, ServedBy, SessionId};
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

/// What happened to one session.
pub(crate) struct SessionLog {
    pub(crate) id: SessionId,
    /// Its operations, in the order in which they were invoked.
    pub(crate) operations: Vec<OperationId>,
    /// Its final looks, in order: places in [`Index::looks`].
    pub(crate) looks: Vec<usize>,
    lanes: Vec<Lane>,
    expiries: Expiries,
    /// When everything was invoked that creates or extends it and did not surely fail, in order.
    begun: Vec<Moment>,
    /// Creations and destructions that may take effect at any time: the first to be invoked.
    loose_create: Option<OperationId>,
    loose_destroy: Option<OperationId>,
    overtaken: BTreeSet<OperationId>,
}

/// What one instance did to the session.
#[derive(Clone, Default)]
struct Lane {
    /// All that was acknowledged, by fact.
    acknowledged: [Acks; FACTS],
    /// The part that Redis acknowledged.
    by_redis: [Acks; FACTS],
    /// Its acknowledged creates and destroys, in the order in which they were invoked: for each the one that ended last so far.
    creates: Vec<(Moment, OperationId)>,
    destroys: Vec<(Moment, OperationId)>,
    /// Its first read that saw the session alive, and the first of them that Redis served.
    sighted: Option<OperationId>,
    sighted_in_redis: Option<OperationId>,
}

/// Acknowledged operations in the order of their ends; each with the one invoked last among those so far.
#[derive(Clone, Default)]
struct Acks(Vec<(Moment, OperationId)>);

/// What a read must have known of a fact: of each instance, the operation invoked last that it cannot have missed.
pub(crate) struct Floor(Vec<Option<OperationId>>);

/// Why a session must be there: whoever says that it is not is wrong.
pub(crate) struct MustBeThere {
    /// The operation that shows that it was alive.
    pub(crate) because: OperationId,
    /// What sets the earliest time at which it may expire, and that time.
    pub(crate) earliest: Option<(u64, OperationId)>,
}

impl Fact {
    const ALL: [Self; FACTS] = [Self::Value, Self::Expiry, Self::Creation, Self::Destruction, Self::Life];

    fn set_by(self, kind: Kind) -> bool {
        match self {
            Self::Value => matches!(kind, Kind::Create | Kind::Update),
            Self::Expiry => matches!(kind, Kind::Create | Kind::Touch),
            Self::Creation => kind == Kind::Create,
            Self::Destruction => kind == Kind::Destroy,
            Self::Life => matches!(kind, Kind::Create | Kind::Update | Kind::Touch),
        }
    }
}

impl Acks {
    fn add(&mut self, index: &Index<'_>, id: OperationId, end: Moment) {
        let before = self.0.last().map(|(_, latest)| *latest);
        self.0.push((end, later_invoked(index, before, Some(id)).unwrap_or(id)));
    }

    /// The one invoked last of those that ended as early as `is_early` says.
    fn latest(&self, is_early: impl Fn(Moment) -> bool) -> Option<OperationId> {
        self.count(is_early).checked_sub(1).map(|last| self.0[last].1)
    }

    fn count(&self, is_early: impl Fn(Moment) -> bool) -> usize {
        self.0.partition_point(|(end, _)| is_early(*end))
    }
}

impl Floor {
    /// The operation that surely superseded `earlier`, if one did: of those, the one invoked last.
    pub(crate) fn supersedes(&self, index: &Index<'_>, earlier: OperationId) -> Option<OperationId> {
        let later = self.0.iter().flatten().copied().filter(|later| index.precedes(earlier, *later));
        later.max_by_key(|id| index.operation(*id).invoke)
    }

    /// The operations, at most one of each instance.
    pub(crate) fn operations(&self) -> impl Iterator<Item = OperationId> {
        self.0.iter().flatten().copied()
    }

    /// Of this instance.
    pub(crate) fn of(&self, instance: usize) -> Option<OperationId> {
        self.0.get(instance).copied().flatten()
    }

    /// The one invoked last.
    pub(crate) fn latest(&self, index: &Index<'_>) -> Option<OperationId> {
        self.operations().max_by_key(|id| index.operation(*id).invoke)
    }
}

impl SessionLog {
    /// The logs of all sessions of a history.
    pub(crate) fn all(index: &Index<'_>) -> BTreeMap<SessionId, Self> {
        let mut sessions: BTreeMap<SessionId, Self> = BTreeMap::new();
        let new = |id| Self {
            id,
            operations: Vec::new(),
            looks: Vec::new(),
            lanes: vec![Lane::default(); index.instances()],
            expiries: Expiries::default(),
            begun: Vec::new(),
            loose_create: None,
            loose_destroy: None,
            overtaken: BTreeSet::new(),
        };
        for (id, operation) in index.operations.iter().enumerate() {
            sessions.entry(operation.session).or_insert_with_key(|id| new(*id)).operations.push(id);
        }
        for (place, look) in index.looks.iter().enumerate() {
            sessions.entry(look.session).or_insert_with_key(|id| new(*id)).looks.push(place);
        }
        for log in sessions.values_mut() {
            log.arrange(index);
        }
        sessions
    }

    fn arrange(&mut self, index: &Index<'_>) {
        for id in &self.operations {
            let operation = index.operation(*id);
            let lane = &mut self.lanes[usize::from(operation.instance)];
            match operation.kind {
                Kind::Create if operation.may_happen() => _ = self.loose_create.get_or_insert(*id),
                Kind::Destroy if operation.may_happen() => _ = self.loose_destroy.get_or_insert(*id),
                Kind::Create if operation.acknowledged() => {
                    lane.creates.push(last_ended(index, &lane.creates, *id))
                }
                Kind::Destroy if operation.acknowledged() => {
                    lane.destroys.push(last_ended(index, &lane.destroys, *id))
                }
                Kind::Create | Kind::Destroy | Kind::Update | Kind::Touch | Kind::Get | Kind::Ttl => {}
            }
        }
        let mut ended: Vec<(Moment, OperationId)> =
            self.operations.iter().filter_map(|id| Some((index.operation(*id).end?, *id))).collect();
        ended.sort_unstable();
        self.overtaken = overtaken::overtaken(index, &self.operations);
        for (end, id) in ended.into_iter().filter(|(_, id)| !self.overtaken.contains(id)) {
            let operation = index.operation(id);
            self.lanes[usize::from(operation.instance)].ended(index, operation, id, end);
        }
        let setters =
            self.operations.iter().copied().filter(|id| Fact::Expiry.set_by(index.operation(*id).kind));
        self.expiries = Expiries::new(index, setters.clone());
        let happened = setters.map(|id| index.operation(id)).filter(|setter| !setter.never_happened());
        self.begun = happened.map(|setter| setter.invoke).collect();
    }

    /// Whether it changed a session that another instance had ended and made again, unknown to the writer; see
    /// [`overtaken`](mod@overtaken).
    pub(crate) fn is_overtaken(&self, id: OperationId) -> bool {
        self.overtaken.contains(&id)
    }

    /// Every answer that tells whether the session is there: those of the load in the order in which they were asked for, then
    /// the final looks.
    pub(crate) fn reads<'a>(&'a self, index: &'a Index<'_>) -> impl Iterator<Item = Read> + 'a {
        let of_load = self.operations.iter().filter_map(|id| reads::of_operation(index, *id));
        let looks = self.looks.iter().filter_map(|place| reads::of_look(index, &index.looks[*place]));
        of_load.chain(looks)
    }

    /// Those of them that this instance was given, in the same order.
    pub(crate) fn reads_by<'a>(
        &'a self,
        index: &'a Index<'_>,
        instance: usize,
    ) -> impl Iterator<Item = Read> + 'a {
        let by_it = move |id: &&OperationId| usize::from(index.operation(**id).instance) == instance;
        let of_load = self.operations.iter().filter(by_it).filter_map(|id| reads::of_operation(index, *id));
        let looks = self.looks.iter().filter_map(|place| reads::of_look(index, &index.looks[*place]));
        of_load.chain(looks.filter(move |read| read.is_by(instance)))
    }

    /// What `read` must have known of a fact.
    pub(crate) fn floor(&self, index: &Index<'_>, read: &Read, fact: Fact) -> Floor {
        let place = fact as usize;
        let settled =
            read.from.t.checked_sub(nanos(index.rules().resync_within).saturating_add(index.slack()));
        let settled = settled.filter(|_| read.view == View::Redis && read.from.t > index.settled_after(0));
        let brings = index.brings_local_writes();
        let forgotten = index.faults.forgotten_before(read.to.t);
        let lane_floor = |(number, lane): (usize, &Lane)| {
            let all = if brings { &lane.acknowledged[place] } else { &lane.by_redis[place] };
            let mut latest = None;
            if read.is_by(number) {
                let own = if read.view == View::Own { &lane.acknowledged[place] } else { all };
                latest = own.latest(|end| end < read.from);
            } else if read.view == View::Redis {
                let acknowledged = lane.by_redis[place].latest(|end| end < read.from);
                latest = acknowledged.filter(|id| index.operation(*id).invoke.t >= forgotten);
            }
            if let Some(settled) = settled {
                latest = later_invoked(index, latest, all.latest(|end| end.t < settled));
            }
            latest
        };
        Floor(self.lanes.iter().enumerate().map(lane_floor).collect())
    }

    /// When the session may expire, as far as `read` can know.
    pub(crate) fn expiry(&self, index: &Index<'_>, read: &Read) -> ExpiryRange {
        self.expiries.range(index, read, &self.floor(index, read, Fact::Expiry))
    }

    /// Whether the session must be there for `read`, whatever the admissible order of events: something shows that it was
    /// alive, nothing can have ended it, and its time is not over.
    pub(crate) fn must_be_there(&self, index: &Index<'_>, read: &Read) -> Option<MustBeThere> {
        let because = self.alive_because(index, read)?;
        if self.may_be_destroyed(index, read) {
            return None;
        }
        let earliest = self.expiry(index, read).earliest;
        let expires = earliest.is_none_or(|(t, _)| t.saturating_sub(index.slack()) <= read.to.t);
        (!expires).then_some(MustBeThere { because, earliest })
    }

    /// An acknowledged create that may have followed every one of `destroys`, or one whose outcome is not known.
    pub(crate) fn may_be_created_again(&self, index: &Index<'_>, read: &Read, destroys: &Floor) -> bool {
        let loose = self.loose_create.is_some_and(|id| index.operation(id).invoke < read.to);
        loose || self.lanes.iter().any(|lane| survives(index, read, &lane.creates, destroys))
    }

    /// Whether everything that creates or extends the session and began before `until` was known to `read`.
    pub(crate) fn nothing_but(&self, index: &Index<'_>, read: &Read, until: Moment) -> bool {
        let place = Fact::Expiry as usize;
        let known = self.lanes.iter().enumerate().map(|(number, lane)| {
            if read.is_by(number) && index.brings_local_writes() {
                lane.acknowledged[place].count(|end| end < read.from)
            } else if read.is_by(number) || read.view == View::Redis {
                lane.by_redis[place].count(|end| end < read.from)
            } else {
                0
            }
        });
        known.sum::<usize>() == self.begun.partition_point(|invoke| *invoke < until)
    }

    fn may_be_destroyed(&self, index: &Index<'_>, read: &Read) -> bool {
        let loose = self.loose_destroy.is_some_and(|id| index.operation(id).invoke < read.to);
        if loose {
            return true;
        }
        if self.lanes.iter().all(|lane| lane.destroys.is_empty()) {
            return false;
        }
        let creates = self.floor(index, read, Fact::Creation);
        self.lanes.iter().any(|lane| survives(index, read, &lane.destroys, &creates))
    }

    fn alive_because(&self, index: &Index<'_>, read: &Read) -> Option<OperationId> {
        let known = self.floor(index, read, Fact::Life).latest(index);
        known.or_else(|| {
            let Reader::Instance(own) = read.reader else { return None };
            let lane = self.lanes.get(usize::from(own))?;
            let any = read.view == View::Own || index.brings_local_writes();
            let sighted = if any { lane.sighted } else { lane.sighted_in_redis };
            sighted.filter(|id| index.operation(*id).end.is_some_and(|end| end < read.from))
        })
    }
}

impl Lane {
    fn ended(&mut self, index: &Index<'_>, operation: &Operation, id: OperationId, end: Moment) {
        let Some(served_by) = operation.served_by() else { return };
        for fact in Fact::ALL.into_iter().filter(|fact| fact.set_by(operation.kind)) {
            self.acknowledged[fact as usize].add(index, id, end);
            if served_by == ServedBy::Redis {
                self.by_redis[fact as usize].add(index, id, end);
            }
        }
        let seen = reads::of_operation(index, id).map(|read| read.seen);
        if matches!(seen, Some(Seen::Value(_) | Seen::There(_))) {
            self.sighted.get_or_insert(id);
            if served_by == ServedBy::Redis {
                self.sighted_in_redis.get_or_insert(id);
            }
        }
    }
}

/// Whether one of an instance's `operations`, begun before the read ended, may come after all of `floor`.
fn survives(index: &Index<'_>, read: &Read, operations: &[(Moment, OperationId)], floor: &Floor) -> bool {
    let count = operations.partition_point(|(invoke, _)| *invoke < read.to);
    let last = count.checked_sub(1).map(|last| operations[last].1);
    last.is_some_and(|id| floor.supersedes(index, id).is_none())
}

/// The next line of a list of operations in the order of their invocations, each with the one that ended last so far.
fn last_ended(index: &Index<'_>, before: &[(Moment, OperationId)], id: OperationId) -> (Moment, OperationId) {
    let invoke = index.operation(id).invoke;
    let last = before.last().map(|(_, last)| *last);
    let ended = |id: &OperationId| index.operation(*id).end;
    (invoke, [last, Some(id)].into_iter().flatten().max_by_key(ended).unwrap_or(id))
}

fn later_invoked(index: &Index<'_>, a: Option<OperationId>, b: Option<OperationId>) -> Option<OperationId> {
    [a, b].into_iter().flatten().max_by_key(|id| index.operation(*id).invoke)
}

//! What happened to one session, arranged so that each question about a read is answered in O(log n): what must it have known,
//! what may have superseded what it saw, when may the session have expired.

use std::collections::BTreeMap;
use std::thread;

use super::cores::cores_for;
use super::expiry::{Expiries, ExpiryRange};
use super::floor::{Floor, superseding};
use super::index::{Index, Moment, Operation, OperationId};
pub(crate) use super::lane::Fact;
use super::lane::{Acknowledged, Begun, Lane};
use super::overtaken;
use super::place::Place;
use super::reads::{self, Read, View};
use super::story::Story;
use crate::history::{Reader, SessionId};
use crate::load::Kind;

/// For sessions that more instances were asked for, less is kept of each read.
const MOST_LANES: usize = 16;

/// What happened to one session.
pub(crate) struct SessionLog {
    pub(crate) id: SessionId,
    /// Its operations, in the order in which they were invoked.
    pub(crate) operations: Vec<OperationId>,
    /// Its final looks, in order: places in [`Index::looks`].
    pub(crate) looks: Vec<usize>,
    /// What its operations read, in the order in which they were invoked.
    reads: Vec<Read>,
    /// For each of them, by lane, how many of the lane's writes had ended before it began.
    ended_before: Vec<u32>,
    /// For each of them, whether the session must be there for it: several checks ask that.
    must: Vec<bool>,
    pub(crate) story: Story,
    /// The instances that were asked for it, in the order of their numbers.
    lanes: Vec<Lane>,
    expiries: Expiries,
    /// When everything was invoked that creates or extends it and did not surely fail, in order; and until when, by that, it
    /// surely may live.
    begun: Vec<(Moment, u64)>,
    /// Creations and destructions that may take effect at any time: the first to be invoked.
    loose_create: Option<OperationId>,
    loose_destroy: Option<OperationId>,
    /// In order.
    overtaken: Vec<OperationId>,
}

/// Why a session must be there: whoever says that it is not is wrong.
pub(crate) struct MustBeThere {
    /// The operation that shows that it was alive.
    pub(crate) because: OperationId,
    /// What sets the earliest time at which it may expire, and that time.
    pub(crate) earliest: Option<(u64, OperationId)>,
}

impl SessionLog {
    /// Whether anything was invoked that creates or extends it, and did not surely fail.
    pub(crate) fn was_begun(&self) -> bool {
        !self.begun.is_empty()
    }

    /// The logs of all sessions of a history.
    pub(crate) fn all(index: &Index<'_>) -> BTreeMap<SessionId, Self> {
        // In the order of sessions, and within each in its own; so that each list is made at once, in its size.
        let operations = index.operations.iter().enumerate();
        let mut operations: Vec<(SessionId, Place)> =
            operations.map(|(id, operation)| (operation.session, Place::of(id))).collect();
        operations.sort_unstable_by_key(|(session, place)| (u64::from(session.0) << 32) | place.key());
        let mut sessions: BTreeMap<SessionId, Self> = operations
            .chunk_by(|one, other| one.0 == other.0)
            .map(|of_one| {
                let named = of_one.iter().filter_map(|(_, place)| place.get()).collect();
                (of_one[0].0, Self::new(of_one[0].0, named))
            })
            .collect();
        for (place, look) in index.looks.iter().enumerate() {
            let log = sessions.entry(look.session).or_insert_with_key(|id| Self::new(*id, Vec::new()));
            log.looks.push(place);
        }
        Self::arrange_all(&mut sessions, index);
        sessions
    }

    /// Each by itself, so for a long history the cores of the machine share them.
    fn arrange_all(sessions: &mut BTreeMap<SessionId, Self>, index: &Index<'_>) {
        let mut logs: Vec<&mut Self> = sessions.values_mut().collect();
        let each = logs.len().div_ceil(cores_for(index)).max(1);
        thread::scope(|scope| {
            let mut parts = logs.chunks_mut(each);
            let own = parts.next();
            for part in parts {
                scope.spawn(|| part.iter_mut().for_each(|log| log.arrange(index)));
            }
            own.into_iter().flatten().for_each(|log| log.arrange(index));
        });
    }

    fn new(id: SessionId, operations: Vec<OperationId>) -> Self {
        Self {
            id,
            operations,
            looks: Vec::new(),
            reads: Vec::new(),
            ended_before: Vec::new(),
            must: Vec::new(),
            story: Story::default(),
            lanes: Vec::new(),
            expiries: Expiries::default(),
            begun: Vec::new(),
            loose_create: None,
            loose_destroy: None,
            overtaken: Vec::new(),
        }
    }

    fn arrange(&mut self, index: &Index<'_>) {
        // Side by side: those of a session lie far from each other in the history.
        let named = |id: &OperationId| (*id, *index.operation(*id));
        let operations: Vec<(OperationId, Operation)> = self.operations.iter().map(named).collect();
        self.overtaken = overtaken::overtaken(index, &operations);
        let mut lanes: Vec<Lane> = Vec::new();
        for (id, operation) in &operations {
            let lane = lane_of(&mut lanes, operation.instance);
            lane.began(operation);
            if let Some(read) = reads::of_operation(index, *id, operation) {
                let nth = u32::try_from(self.reads.len()).unwrap_or(u32::MAX);
                lane.reads.push(nth);
                self.reads.push(Read { nth: Some(nth), ..read });
            }
            let acknowledged = operation.acknowledged();
            match operation.kind {
                Kind::Create | Kind::Update | Kind::Destroy if acknowledged => {
                    lane.writes.push(Place::of(*id))
                }
                Kind::Create if operation.may_happen() => _ = self.loose_create.get_or_insert(*id),
                Kind::Destroy if operation.may_happen() => _ = self.loose_destroy.get_or_insert(*id),
                Kind::Create | Kind::Destroy | Kind::Update | Kind::Touch | Kind::Get | Kind::Ttl => {}
            }
            match operation.kind {
                Kind::Create if acknowledged => lane.creates.add(index, *id),
                Kind::Destroy if acknowledged => lane.destroys.add(index, *id),
                Kind::Create | Kind::Destroy | Kind::Update | Kind::Touch | Kind::Get | Kind::Ttl => {}
            }
        }
        self.reads.shrink_to_fit();
        let mut ended: Vec<(Moment, usize)> =
            operations.iter().enumerate().filter_map(|(place, (_, one))| Some((one.end?, place))).collect();
        ended.sort_unstable();
        for (end, place) in ended {
            let (id, operation) = &operations[place];
            if !self.is_overtaken(*id) {
                lane_of(&mut lanes, operation.instance).ended(index, *id, operation, end);
            }
        }
        lanes.iter_mut().for_each(Lane::shrink);
        lanes.shrink_to_fit();
        self.ended_before = ended_before(&lanes, &self.reads);
        self.lanes = lanes;
        self.story = Story::of(operations.iter().map(|(_, operation)| operation));
        let setters = operations.iter().filter(|(_, operation)| Fact::Expiry.set_by(operation.kind));
        let instances: Vec<u16> = self.lanes.iter().map(|lane| lane.instance).collect();
        self.expiries = Expiries::new(index, &instances, setters.clone().map(|(id, _)| *id));
        let happened = setters.filter(|(_, setter)| !setter.never_happened());
        self.begun = happened.map(|(_, setter)| (setter.invoke, may_live_until(setter))).collect();
        self.must = self.reads.iter().map(|read| self.must(index, read)).collect();
    }

    /// Whether it changed a session that another instance had ended and made again, unknown to the writer; see
    /// [`overtaken`](mod@overtaken).
    pub(crate) fn is_overtaken(&self, id: OperationId) -> bool {
        self.overtaken.binary_search(&id).is_ok()
    }

    /// Whether this instance did such a thing.
    pub(crate) fn has_overtaken_of(&self, index: &Index<'_>, instance: u16) -> bool {
        self.overtaken.iter().any(|id| index.operation(*id).instance == instance)
    }

    /// Whether operations of this instance on it overlap.
    pub(crate) fn overlaps(&self, instance: u16) -> bool {
        self.lane(usize::from(instance)).is_some_and(|lane| lane.overlaps)
    }

    /// The instances that were asked for it, or looked at it at the end, in the order of their numbers.
    pub(crate) fn readers(&self, index: &Index<'_>) -> Vec<usize> {
        let looked = self.looks.iter().filter_map(|place| match index.reader(&index.looks[*place]) {
            Reader::Instance(number) => Some(usize::from(number)),
            Reader::Fresh | Reader::Redis => None,
        });
        let asked = self.lanes.iter().map(|lane| usize::from(lane.instance));
        let mut readers: Vec<usize> = asked.chain(looked).collect();
        readers.sort_unstable();
        readers.dedup();
        readers
    }

    /// The acknowledged creates, updates and destroys of this instance, in the order in which they were invoked.
    pub(crate) fn writes_of(&self, instance: usize) -> impl Iterator<Item = OperationId> {
        let places = self.lane(instance).map_or(&[][..], |lane| lane.writes.as_slice());
        places.iter().filter_map(|place| place.get())
    }

    /// Every answer that tells whether the session is there: those of the load in the order in which they were asked for, then
    /// the final looks.
    pub(crate) fn reads<'a>(&'a self, index: &'a Index<'_>) -> impl Iterator<Item = Read> + 'a {
        self.reads.iter().copied().chain(self.final_reads(index))
    }

    /// The final looks among them.
    pub(crate) fn final_reads<'a>(&'a self, index: &'a Index<'_>) -> impl Iterator<Item = Read> + 'a {
        self.looks.iter().filter_map(|place| reads::of_look(index, &index.looks[*place]))
    }

    /// Those of them that this instance was given, in the same order.
    pub(crate) fn reads_by<'a>(
        &'a self,
        index: &'a Index<'_>,
        instance: usize,
    ) -> impl Iterator<Item = Read> + 'a {
        let places = self.lane(instance).map_or(&[][..], |lane| lane.reads.as_slice());
        let of_load = places.iter().filter_map(|place| self.reads.get(*place as usize).copied());
        of_load.chain(self.final_reads(index).filter(move |read| read.is_by(instance)))
    }

    /// What `read` must have known of a fact.
    pub(crate) fn floor<'a>(&'a self, index: &'a Index<'_>, read: &'a Read, fact: Fact) -> Floor<'a> {
        let before = read.nth.and_then(|nth| {
            let first = nth as usize * self.lanes.len();
            self.ended_before.get(first..first + self.lanes.len())
        });
        Floor::new(index, &self.lanes, before, read, fact)
    }

    /// When the session may expire, as far as `read` can know.
    pub(crate) fn expiry(&self, index: &Index<'_>, read: &Read) -> ExpiryRange {
        self.expiries.range(index, read, &self.floor(index, read, Fact::Expiry))
    }

    /// Whether the last that was begun to create or extend the session before `read` was over lets it live until `read` began.
    /// Nothing can have superseded that one, so the latest expiry is later; and this is found much faster.
    pub(crate) fn surely_may_live(&self, read: &Read) -> bool {
        let begun = self.begun.partition_point(|(invoke, _)| *invoke < read.to);
        begun.checked_sub(1).is_some_and(|last| read.from.t <= self.begun[last].1)
    }

    /// Whether the session must be there for `read`, whatever the admissible order of events: something shows that it was
    /// alive, nothing can have ended it, and its time is not over.
    pub(crate) fn must_be_there(&self, index: &Index<'_>, read: &Read) -> bool {
        let known = read.nth.and_then(|nth| self.must.get(nth as usize).copied());
        known.unwrap_or_else(|| self.must(index, read))
    }

    /// Why it must be there, if it must.
    pub(crate) fn because(&self, index: &Index<'_>, read: &Read) -> Option<MustBeThere> {
        if !self.must(index, read) {
            return None;
        }
        let shown = self.floor(index, read, Fact::Life).latest();
        let because = shown.or_else(|| self.sighted(index, read))?;
        Some(MustBeThere { because, earliest: self.expiry(index, read).earliest })
    }

    fn must(&self, index: &Index<'_>, read: &Read) -> bool {
        let shown = self.floor(index, read, Fact::Life).operations().next().is_some();
        (shown || self.sighted(index, read).is_some())
            && !self.may_be_destroyed(index, read)
            && !self.may_be_expired(index, read)
    }

    /// Whether a create may have followed every one of `destroys`: one that was acknowledged, or one whose outcome is not known.
    pub(crate) fn may_be_created_again(
        &self,
        index: &Index<'_>,
        read: &Read,
        destroys: &[OperationId],
    ) -> bool {
        let loose = self.loose_create.is_some_and(|id| index.operation(id).invoke < read.to);
        loose || survives(index, read, self.lanes.iter().map(|lane| &lane.creates), || destroys.to_vec())
    }

    /// Whether everything that creates or extends the session and began before `until` was known to `read`.
    pub(crate) fn nothing_but(&self, index: &Index<'_>, read: &Read, until: Moment) -> bool {
        let before = |end: Moment| end < read.from;
        let known = self.lanes.iter().map(|lane| {
            if read.is_by(usize::from(lane.instance)) && index.brings_local_writes() {
                lane.setters(Acknowledged::ByAnyone, before)
            } else if read.is_by(usize::from(lane.instance)) || read.view == View::Redis {
                lane.setters(Acknowledged::ByRedis, before)
            } else {
                0
            }
        });
        known.sum::<usize>() == self.begun.partition_point(|(invoke, _)| *invoke < until)
    }

    fn lane(&self, instance: usize) -> Option<&Lane> {
        self.lanes.iter().find(|lane| usize::from(lane.instance) == instance)
    }

    fn may_be_destroyed(&self, index: &Index<'_>, read: &Read) -> bool {
        let loose = self.loose_destroy.is_some_and(|id| index.operation(id).invoke < read.to);
        if loose {
            return true;
        }
        if !self.story.may_end {
            return false;
        }
        let creates = || self.floor(index, read, Fact::Creation).operations().collect();
        survives(index, read, self.lanes.iter().map(|lane| &lane.destroys), creates)
    }

    fn may_be_expired(&self, index: &Index<'_>, read: &Read) -> bool {
        let earliest = self.expiry(index, read).earliest;
        earliest.is_none_or(|(t, _)| t.saturating_sub(index.slack()) <= read.to.t)
    }

    /// What the reader itself had seen of it alive before.
    fn sighted(&self, index: &Index<'_>, read: &Read) -> Option<OperationId> {
        let Reader::Instance(own) = read.reader else { return None };
        let lane = self.lanes.iter().find(|lane| lane.instance == own)?;
        let any = read.view == View::Own || index.brings_local_writes();
        let sighted = lane.sighted(if any { Acknowledged::ByAnyone } else { Acknowledged::ByRedis });
        let before = |id: &OperationId| index.operation(*id).end.is_some_and(|end| end < read.from);
        sighted.filter(before).filter(|id| !index.may_be_dropped(*id, read.to.t))
    }
}

/// Until when the session may live by what this operation sets, at least.
fn may_live_until(setter: &Operation) -> u64 {
    match (setter.ttl, setter.end.filter(|_| setter.acknowledged())) {
        (Some(ttl), Some(end)) => end.t.saturating_add(ttl),
        // It may take effect just now, whenever that is.
        (Some(_), None) => u64::MAX,
        (None, _) => 0,
    }
}

/// For each read, by lane, how many of its writes had ended before the read began. The reads are in the order of their beginnings.
/// Where there are too many lanes to keep that, nothing: it is then found out when it is asked for.
fn ended_before(lanes: &[Lane], reads: &[Read]) -> Vec<u32> {
    if lanes.len() > MOST_LANES {
        return Vec::new();
    }
    let mut counts = vec![0; lanes.len()];
    let mut all = Vec::with_capacity(lanes.len() * reads.len());
    for read in reads {
        for (lane, count) in lanes.iter().zip(&mut counts) {
            *count = lane.ended_before(read.from, *count);
        }
        all.extend_from_slice(&counts);
    }
    all
}

/// The lane of an instance, which is made if it is not there. They are in the order of the instances.
fn lane_of(lanes: &mut Vec<Lane>, instance: u16) -> &mut Lane {
    let place = lanes.binary_search_by_key(&instance, |lane| lane.instance).unwrap_or_else(|place| {
        lanes.insert(place, Lane::new(instance));
        place
    });
    &mut lanes[place]
}

/// Whether one of these operations of each instance, begun before the read ended, may come after all of `others`.
fn survives<'a>(
    index: &Index<'_>,
    read: &Read,
    operations: impl Iterator<Item = &'a Begun>,
    others: impl FnOnce() -> Vec<OperationId>,
) -> bool {
    let mut ended = operations.filter_map(|begun| begun.last_ended(read.to)).peekable();
    if ended.peek().is_none() {
        return false;
    }
    // Found once, for all instances.
    let others = others();
    ended.any(|id| superseding(index, id, others.iter().copied()).is_none())
}

//! A history put in order for the checks: operations with their ends, sessions with what was written and read, faults with
//! their windows. Built once, in O(n log n), and shared by all checks. It keeps what they use of the entries, not the entries.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::breaker_safe::Change;
use super::faults::{Fault, Faults};
use super::gather::{Gather, Twice};
use super::lives::Lives;
pub(crate) use super::operation::{Ending, Moment, Operation, OperationId};
use super::place::Place;
use super::reads::{Look, Read};
use super::session::SessionLog;
use super::spread::Spread;
use super::wire::WireLog;
use crate::history::{
    BreakerState, Capability, Entries, Entry, FinalRead, Head, History, HistoryError, Rules, Saw, ServedBy,
    SessionId, ValueSeen, Write,
};
use crate::load::Kind;

/// A history put in order, for the checks.
pub struct Index<'h> {
    pub(crate) head: &'h Head,
    /// Where witnesses have their entries from, and why it could not give one.
    source: &'h dyn Entries,
    lost: Mutex<Option<HistoryError>>,
    /// When the last entry was recorded.
    pub(crate) over: u64,
    load_over: u64,
    /// Every operation of the run's instances, in the order in which they were invoked.
    pub(crate) operations: Vec<Operation>,
    /// The names of those of each instance, in the same order.
    by_instance: Vec<Vec<Place>>,
    /// Every session that an operation or a final look is about.
    pub(crate) sessions: BTreeMap<SessionId, SessionLog>,
    /// The operation that writes a value.
    pub(crate) writes: HashMap<Write, OperationId, Spread>,
    /// For every operation the one that wrote the value which it read.
    writers: Vec<Place>,
    pub(crate) faults: Faults,
    /// Wherever a check speaks of an instance it means a life.
    pub(crate) lives: Lives,
    /// The numbers of the faults that struck commands.
    pub(crate) struck: BTreeSet<u32>,
    /// The final looks, in order.
    pub(crate) looks: Vec<Look>,
    /// An operation that was invoked or returned twice.
    pub(crate) twice: Option<Twice>,
    changes: Vec<Vec<Change>>,
    told: Vec<(usize, Entry)>,
    wire: Vec<WireLog>,
    /// What is asked for at every read: e and R in nanoseconds, and two capabilities.
    slack: u64,
    resync_within: u64,
    has_fallback: bool,
    brings_local_writes: bool,
}

impl<'h> Index<'h> {
    /// Puts `history` in order.
    pub fn new(history: &'h History) -> Self {
        let mut gather = Gather::new(&history.head);
        history.entries.iter().for_each(|entry| gather.take(entry));
        gather.finish(history)
    }

    /// Puts in order what was gathered.
    pub(super) fn arrange(gather: Gather<'h>, source: &'h dyn Entries) -> Self {
        let Gather {
            head,
            over,
            load_over,
            mut operations,
            mut faults,
            mut lives,
            looker,
            wire,
            struck,
            changes,
            told,
            twice,
            ..
        } = gather;
        operations.shrink_to_fit();
        let can = |capability| head.rules.can.contains(&capability);
        faults.arrange();
        let open = changes.iter().any(|changes| is_open_after(changes, faults.end()));
        let if_open = head.rules.resync_within_if_open.filter(|_| open);
        let resync_within = nanos(if_open.unwrap_or(head.rules.resync_within));
        let slack = nanos(head.rules.clock_slack);
        lives.arrange(&faults, can(Capability::Durable), resync_within.saturating_add(slack));
        faults.strike(&lives);
        let (writes, by_instance) = (writes(&operations), by_instance(&operations, lives.count()));
        let mut index = Self {
            head,
            source,
            lost: Mutex::new(None),
            over,
            load_over,
            operations,
            by_instance,
            sessions: BTreeMap::new(),
            writes,
            writers: Vec::new(),
            faults,
            wire: wire.finish(lives.count()),
            lives,
            struck,
            looks: looker.finish(),
            twice,
            changes,
            told,
            slack,
            resync_within,
            has_fallback: can(Capability::Fallback),
            brings_local_writes: can(Capability::Resync) || !can(Capability::Fallback),
        };
        index.find_writers();
        index.sessions = SessionLog::all(&index);
        index
    }

    /// Why entries of the history could not be had again for a witness, if so. The findings then lack them.
    pub fn lost(&self) -> Option<HistoryError> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How many operations the run's instances were asked for.
    pub fn count(&self) -> usize {
        self.operations.len()
    }

    /// The rules of the run.
    pub(crate) fn rules(&self) -> &'h Rules {
        &self.head.rules
    }

    /// Whether the subject can do it.
    pub(crate) fn can(&self, capability: Capability) -> bool {
        self.rules().can.contains(&capability)
    }

    /// Whether what is accepted locally gets to Redis at all: only a subject that can resync has to see to that.
    pub(crate) fn brings_local_writes(&self) -> bool {
        self.brings_local_writes
    }

    /// Whether it is known when a subject brings to Redis what it accepted locally: it tells of its resync.
    pub(crate) fn tells_of_resyncs(&self) -> bool {
        self.brings_local_writes && self.rules().shards <= 1
    }

    /// Whether a local copy has room for every session of the run.
    pub(crate) fn keeps_all(&self) -> bool {
        self.rules().local_sessions.is_none_or(|most| most >= u64::from(self.head.sessions))
    }

    /// Whether nobody may hold at `t` what this operation wrote or saw: Redis may have lost its data since it had that, and local
    /// copies are too small for every session, so that they drop what Redis has.
    pub(crate) fn may_be_dropped(&self, id: OperationId, t: u64) -> bool {
        if self.keeps_all() {
            return false;
        }
        let operation = self.operation(id);
        let read = matches!(operation.kind, Kind::Get | Kind::Ttl);
        let kept_back = !read && operation.served_by() == Some(ServedBy::Local);
        // What Redis does not have is not dropped.
        let lost = if kept_back { self.faults.forgetting_from(t) } else { self.faults.forgotten_before(t) };
        operation.invoke.t < lost
    }

    /// Whether the subject may answer from its own knowledge.
    pub(crate) fn has_fallback(&self) -> bool {
        self.has_fallback
    }

    /// Whether Redis acknowledged the operation.
    pub(crate) fn in_redis(&self, id: OperationId) -> bool {
        self.operation(id).served_by() == Some(ServedBy::Redis)
    }

    /// e in nanoseconds.
    pub(crate) fn slack(&self) -> u64 {
        self.slack
    }

    /// R in nanoseconds: of this run, where a breaker may have been open when the last fault was over.
    pub(crate) fn resync_within(&self) -> u64 {
        self.resync_within
    }

    /// What crossed the wire, by instance.
    pub(crate) fn wire(&self) -> &[WireLog] {
        &self.wire
    }

    /// The changes of an instance's breaker, in order.
    pub(crate) fn changes(&self, instance: u16) -> &[Change] {
        self.changes.get(usize::from(instance)).map_or(&[], Vec::as_slice)
    }

    /// What the instances told of themselves (modes, resyncs, samples, and what they were asked for), in order, with the places of
    /// the entries.
    pub(crate) fn told(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.told.iter().map(|(place, entry)| (*place, entry))
    }

    /// When the load was over and the final looks began; never, if that is not told.
    pub(crate) fn load_over(&self) -> u64 {
        self.load_over
    }

    /// The operation.
    pub(crate) fn operation(&self, id: OperationId) -> &Operation {
        &self.operations[id]
    }

    /// The operations of an instance, in the order in which they were invoked.
    pub(crate) fn operations_of(
        &self,
        instance: u16,
    ) -> impl DoubleEndedIterator<Item = (OperationId, &Operation)> {
        self.named(self.places_of(instance))
    }

    /// Those of them that were invoked from `from` to `to`, both included.
    pub(crate) fn operations_within(
        &self,
        instance: u16,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = (OperationId, &Operation)> {
        let all = self.places_of(instance);
        let first = all.partition_point(|place| self.invoked(*place) < from);
        let after_last = all.partition_point(|place| self.invoked(*place) <= to);
        self.named(all.get(first..after_last).unwrap_or(&[]))
    }

    /// Those of them that were invoked after `t`.
    pub(crate) fn operations_after(
        &self,
        instance: u16,
        t: u64,
    ) -> impl DoubleEndedIterator<Item = (OperationId, &Operation)> {
        let all = self.places_of(instance);
        let first = all.partition_point(|place| self.invoked(*place) <= t);
        self.named(&all[first..])
    }

    /// The entries at these places, in this order.
    pub(crate) fn entries(&self, places: impl IntoIterator<Item = usize>) -> Vec<Entry> {
        let found = places.into_iter().map(|place| self.source.entry(place));
        let kept = found.filter_map(|entry| {
            let lost = |error| {
                self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            };
            entry.map_err(lost).ok()
        });
        kept.collect()
    }

    /// When everything acknowledged at `t`, and not by Redis, must be visible everywhere.
    pub(crate) fn settled_after(&self, t: u64) -> u64 {
        let settled = self.faults.end().max(t).saturating_add(self.resync_within);
        settled.saturating_add(self.slack)
    }

    /// Whether `earlier` surely took effect before `later` did, and is therefore superseded by it. Both are acknowledged: one
    /// that is not may take effect at any time. Within e, operations of different instances are concurrent.
    pub(crate) fn precedes(&self, earlier: OperationId, later: OperationId) -> bool {
        let (earlier, later) = (self.operation(earlier), self.operation(later));
        let (true, Some(end)) = (earlier.acknowledged(), earlier.end) else { return false };
        if earlier.instance == later.instance {
            end < later.invoke
        } else {
            end.t.saturating_add(self.slack()) < later.invoke.t
        }
    }

    /// The operation that wrote the value which a read brought back, if it is one on that session and was invoked in time.
    pub(crate) fn writer_of(&self, read: &Read) -> Option<OperationId> {
        read.writer.get()
    }

    /// The same of the value that an operation read.
    pub(crate) fn writer(&self, id: OperationId) -> Option<OperationId> {
        self.writers.get(id).copied().and_then(Place::get)
    }

    /// The faults whose entries belong beside a witness that spans these entries: those that were on meanwhile, else the last
    /// one before; at most two.
    pub(crate) fn faults_around(&self, from: usize, to: usize) -> Vec<&Fault> {
        self.faults.around(from, to)
    }

    fn invoked(&self, place: Place) -> u64 {
        place.get().map_or(0, |id| self.operations[id].invoke.t)
    }

    fn places_of(&self, instance: u16) -> &[Place] {
        self.by_instance.get(usize::from(instance)).map_or(&[][..], Vec::as_slice)
    }

    fn named<'a>(
        &'a self,
        places: &'a [Place],
    ) -> impl DoubleEndedIterator<Item = (OperationId, &'a Operation)> {
        places.iter().filter_map(|place| place.get().map(|id| (id, &self.operations[id])))
    }

    /// Finds the writer of each value read once and for all: every check asks for it.
    fn find_writers(&mut self) {
        let writers = self.operations.iter().map(|operation| match (operation.ending, operation.end) {
            (Ending::Acknowledged { saw: Saw::Value(Some(seen)), .. }, Some(end)) => {
                Place::from(self.writer_in_time(seen, operation.session, end))
            }
            (_, _) => Place::NONE,
        });
        self.writers = writers.collect();
        let of_looks = self.looks.iter().map(|look| match look.found {
            FinalRead::Value(Some(seen)) => self.writer_in_time(seen, look.session, look.to),
            FinalRead::Value(None) | FinalRead::Key(_) | FinalRead::Error { .. } => None,
        });
        let of_looks: Vec<Option<OperationId>> = of_looks.collect();
        for (look, writer) in self.looks.iter_mut().zip(of_looks) {
            look.writer = writer;
        }
    }

    fn writer_in_time(&self, seen: ValueSeen, session: SessionId, until: Moment) -> Option<OperationId> {
        let id = *self.writes.get(&seen.write?)?;
        let operation = self.operation(id);
        (operation.session == session && operation.invoke < until).then_some(id)
    }
}

/// Nanoseconds, as a number.
pub(crate) fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether a breaker that changed so was not closed at `t`, or some time after it.
fn is_open_after(changes: &[Change], t: u64) -> bool {
    let after = changes.partition_point(|change| change.t <= t);
    changes[after.saturating_sub(1)..].iter().any(|change| change.to != BreakerState::Closed)
}

fn writes(operations: &[Operation]) -> HashMap<Write, OperationId, Spread> {
    let writes = operations.iter().enumerate().filter_map(|(id, operation)| match operation.kind {
        Kind::Create | Kind::Update => operation.write.map(|write| (write, id)),
        Kind::Get | Kind::Touch | Kind::Destroy | Kind::Ttl => None,
    });
    let mut found = HashMap::default();
    for (write, id) in writes {
        found.entry(write).or_insert(id);
    }
    found
}

fn by_instance(operations: &[Operation], instances: u16) -> Vec<Vec<Place>> {
    let mut found = vec![Vec::new(); usize::from(instances)];
    for (id, operation) in operations.iter().enumerate() {
        if let Some(of_it) = found.get_mut(usize::from(operation.instance)) {
            of_it.push(Place::of(id));
        }
    }
    found
}

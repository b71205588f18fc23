//! What an instance has learnt by itself of a session's value, by its own acknowledged writes and by its reads, and which of its
//! later reads contradict that.

use std::collections::{BTreeMap, HashMap};

use super::index::{Index, Moment, OperationId};
use super::reads::{Read, View};
use super::session::SessionLog;
use super::spread::Spread;
use crate::load::Kind;

/// A time at which an instance knew the value of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    from: Moment,
    to: Moment,
    /// The operation that wrote the value; `None`: none, for the instance had destroyed the session.
    value: Option<OperationId>,
    /// The operation by which it knew.
    pub(crate) by: OperationId,
    /// Whether Redis served that.
    in_redis: bool,
}

/// What an instance knew by its own reads and writes before a read.
#[derive(Default)]
pub(crate) struct Learnt {
    /// When it first knew each value.
    first: HashMap<OperationId, Sighting, Spread>,
    /// The sighting begun last, and the one begun last with another value.
    latest: Option<Sighting>,
    latest_other: Option<Sighting>,
    /// Of each instance's writes, where it has read any, the one invoked last that it has read, with the read.
    read: BTreeMap<u16, (OperationId, Sighting)>,
}

/// The instance saw a value, then something else, then that value again; no value comes back by itself.
pub(crate) struct Reversal {
    pub(crate) first: Sighting,
    pub(crate) then: Sighting,
}

impl Learnt {
    /// Whether reading the value of `writer` turns back behind what the instance knew.
    pub(crate) fn reversal(&self, writer: OperationId) -> Option<Reversal> {
        let first = *self.first.get(&writer)?;
        let differs = |sighting: &Sighting| sighting.value != Some(writer);
        let then = [self.latest, self.latest_other].into_iter().flatten().find(differs)?;
        (first.to < then.from).then_some(Reversal { first, then })
    }

    /// A value that the instance had read and that surely superseded that of `writer`, with the read.
    pub(crate) fn read_newer(
        &self,
        index: &Index<'_>,
        writer: OperationId,
    ) -> Option<(OperationId, Sighting)> {
        self.read.values().copied().find(|(newer, _)| *newer > writer && index.precedes(writer, *newer))
    }

    /// Whether it knew anything.
    pub(crate) fn anything(&self) -> bool {
        self.latest.is_some()
    }

    fn add(&mut self, index: &Index<'_>, sighting: Sighting) {
        let newer = |than: Option<Sighting>| than.is_none_or(|than| sighting.from > than.from);
        let same = self.latest.is_some_and(|latest| latest.value == sighting.value);
        if newer(self.latest) {
            if !same {
                self.latest_other = self.latest;
            }
            self.latest = Some(sighting);
        } else if !same && newer(self.latest_other) {
            self.latest_other = Some(sighting);
        }
        let Some(writer) = sighting.value else { return };
        self.first.entry(writer).or_insert(sighting);
        if sighting.is_read() {
            let newest = self.read.entry(index.operation(writer).instance).or_insert((writer, sighting));
            // The greater name was invoked later.
            if writer > newest.0 {
                *newest = (writer, sighting);
            }
        }
    }
}

impl Sighting {
    /// Whether it is a read, not a write of the instance's own.
    pub(crate) fn is_read(&self) -> bool {
        self.value.is_some_and(|writer| writer != self.by)
    }

    /// Whether it is the instance's own destroy.
    pub(crate) fn is_destroy(&self) -> bool {
        self.value.is_none()
    }
}

/// Goes through what `instance` read of a session, in the order in which it asked: calls `each` with every read that saw a
/// value whose writer is known, that writer, and what the instance had learnt when it asked.
pub(crate) fn walk(
    index: &Index<'_>,
    log: &SessionLog,
    instance: usize,
    mut each: impl FnMut(&Read, OperationId, &Learnt),
) {
    let reads: Vec<Read> = log.reads_by(index, instance).filter(|read| read.value().is_some()).collect();
    if reads.is_empty() {
        return;
    }
    let mut sightings = sightings(index, log, instance, &reads);
    sightings.sort_unstable_by_key(|sighting| sighting.to);
    let (mut learnt, mut in_redis) = (Learnt::default(), Learnt::default());
    let (mut next, mut losses) = (0, (0, 0));
    for read in &reads {
        let t = read.to.t;
        let lost = (index.faults.forgetting_from(t), index.faults.forgotten_before(t));
        if lost != losses {
            // Some of it may count no more.
            (learnt, in_redis, next, losses) = (Learnt::default(), Learnt::default(), 0, lost);
        }
        while let Some(sighting) = sightings.get(next).filter(|sighting| sighting.to < read.from) {
            if index.may_be_dropped(sighting.by, t) {
                next += 1;
                continue;
            }
            learnt.add(index, *sighting);
            if sighting.in_redis && !index.brings_local_writes() {
                in_redis.add(index, *sighting);
            }
            next += 1;
        }
        let Some(writer) = index.writer_of(read) else { continue };
        // What stays local for ever says nothing of what Redis answers.
        let counts_local = read.view == View::Own || index.brings_local_writes();
        each(read, writer, if counts_local { &learnt } else { &in_redis });
    }
}

fn sightings(index: &Index<'_>, log: &SessionLog, instance: usize, reads: &[Read]) -> Vec<Sighting> {
    let own = log.writes_of(instance).filter_map(|by| {
        let operation = index.operation(by);
        let value = match operation.kind {
            Kind::Create | Kind::Update => Some(by),
            Kind::Destroy => None,
            Kind::Get | Kind::Touch | Kind::Ttl => return None,
        };
        let served_by = operation.served_by()?;
        let in_redis = served_by == crate::history::ServedBy::Redis;
        Some(Sighting { from: operation.invoke, to: operation.end?, value, by, in_redis })
    });
    let read = reads.iter().filter_map(|read| {
        let value = Some(index.writer_of(read)?);
        let in_redis = read.view == View::Redis;
        Some(Sighting { from: read.from, to: read.to, value, by: read.operation.get()?, in_redis })
    });
    let counts = |sighting: &Sighting| sighting.value.is_none_or(|writer| !log.is_overtaken(writer));
    own.chain(read).filter(counts).collect()
}

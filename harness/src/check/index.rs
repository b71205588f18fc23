//! A history put in order for the checks: operations with their ends, sessions with what was written and read, faults with
//! their windows. Built once, in O(n log n), and shared by all checks.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::time::Duration;

use super::faults::{Fault, Faults};
use super::reads::{self, Look, Read};
use super::session::SessionLog;
use super::wire::{self, WireLog};
use crate::history::{
    Capability, Entry, Event, History, NO_SESSION, Outcome, Rules, Saw, ServedBy, SessionId, Write,
};
use crate::load::Kind;

/// A point of a history: its time, and the entry that marks it. The entry decides the order where times are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// Nanoseconds since the start of the run.
    pub(crate) t: u64,
    /// The entry's place in the history.
    pub(crate) entry: usize,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was acknowledged.
    Acknowledged { by: ServedBy, saw: Saw },
    /// Definitely: there is no such session.
    NoSession,
    /// It surely did not happen, for another reason.
    Failed,
    /// It may have happened, or may yet.
    Unknown,
    /// It never returned: it may have happened, or may yet.
    Missing,
}

/// An operation of an instance of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) instance: u16,
    pub(crate) kind: Kind,
    pub(crate) session: SessionId,
    pub(crate) write: Option<Write>,
    /// The TTL that it sets, in nanoseconds.
    pub(crate) ttl: Option<u64>,
    /// When the load meant it to start.
    pub(crate) due: u64,
    pub(crate) invoke: Moment,
    /// Its return, if there was one.
    pub(crate) end: Option<Moment>,
    pub(crate) ending: Ending,
}

/// Names an operation: its place in [`Index::operations`].
pub(crate) type OperationId = usize;

/// A history put in order, for the checks.
pub struct Index<'h> {
    pub(crate) history: &'h History,
    /// Every operation of the run's instances, in the order in which they were invoked.
    pub(crate) operations: Vec<Operation>,
    /// Every session that an operation or a final look is about.
    pub(crate) sessions: BTreeMap<SessionId, SessionLog>,
    /// The operation that writes a value.
    pub(crate) writes: HashMap<Write, OperationId>,
    pub(crate) faults: Faults,
    /// The final looks, in order.
    pub(crate) looks: Vec<Look>,
    wire: OnceLock<Vec<WireLog<'h>>>,
}

impl Operation {
    /// Whether it was acknowledged.
    pub(crate) fn acknowledged(&self) -> bool {
        self.served_by().is_some()
    }

    /// Who acknowledged it, if anyone did.
    pub(crate) fn served_by(&self) -> Option<ServedBy> {
        match self.ending {
            Ending::Acknowledged { by, .. } => Some(by),
            Ending::NoSession | Ending::Failed | Ending::Unknown | Ending::Missing => None,
        }
    }

    /// Whether it surely did not happen.
    pub(crate) fn never_happened(&self) -> bool {
        match self.ending {
            Ending::NoSession | Ending::Failed => true,
            Ending::Acknowledged { .. } | Ending::Unknown | Ending::Missing => false,
        }
    }

    /// Whether it may have happened, or may yet.
    pub(crate) fn may_happen(&self) -> bool {
        !self.never_happened() && !self.acknowledged()
    }

    /// Whether it went as it should: acknowledged, or told the truth about a session that is not there.
    pub(crate) fn answered(&self) -> bool {
        self.acknowledged() || self.ending == Ending::NoSession
    }

    /// The entries that tell of it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = usize> {
        [Some(self.invoke.entry), self.end.map(|end| end.entry)].into_iter().flatten()
    }
}

impl<'h> Index<'h> {
    /// Puts `history` in order.
    pub fn new(history: &'h History) -> Self {
        let operations = operations(history);
        let mut writes = HashMap::with_capacity(operations.len() / 2);
        for (id, operation) in operations.iter().enumerate() {
            if let (Some(write), Kind::Create | Kind::Update) = (operation.write, operation.kind) {
                writes.entry(write).or_insert(id);
            }
        }
        let looks = reads::looks(history);
        let faults = Faults::new(history);
        let mut index = Self {
            history,
            operations,
            sessions: BTreeMap::new(),
            writes,
            faults,
            looks,
            wire: OnceLock::new(),
        };
        index.sessions = SessionLog::all(&index);
        index
    }

    /// The rules of the run.
    pub(crate) fn rules(&self) -> &'h Rules {
        &self.history.head.rules
    }

    /// Whether the subject can do it.
    pub(crate) fn can(&self, capability: Capability) -> bool {
        self.rules().can.contains(&capability)
    }

    /// Whether what is accepted locally gets to Redis at all: only a subject that can resync has to see to that.
    pub(crate) fn brings_local_writes(&self) -> bool {
        self.can(Capability::Resync) || !self.can(Capability::Fallback)
    }

    /// How many instances the run has.
    pub(crate) fn instances(&self) -> usize {
        usize::from(self.history.head.instances)
    }

    /// e in nanoseconds.
    pub(crate) fn slack(&self) -> u64 {
        nanos(self.rules().clock_slack)
    }

    /// What crossed the wire, by instance.
    pub(crate) fn wire(&self) -> &[WireLog<'h>] {
        self.wire.get_or_init(|| wire::read(self.history))
    }

    /// When the load was over and the final looks began; never, if that is not told.
    pub(crate) fn load_over(&self) -> u64 {
        let began = |line: &&Entry| matches!(&line.e, Event::Phase { name } if name == "final");
        self.history.entries.iter().rev().find(began).map_or(u64::MAX, |line| line.t)
    }

    /// The operation.
    pub(crate) fn operation(&self, id: OperationId) -> &Operation {
        &self.operations[id]
    }

    /// The entry.
    pub(crate) fn entry(&self, entry: usize) -> &'h Entry {
        &self.history.entries[entry]
    }

    /// When everything acknowledged at `t`, and not by Redis, must be visible everywhere.
    pub(crate) fn settled_after(&self, t: u64) -> u64 {
        let settled = self.faults.end().max(t).saturating_add(nanos(self.rules().resync_within));
        settled.saturating_add(self.slack())
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
        let seen = read.value()?;
        let id = *self.writes.get(&seen.write?)?;
        let operation = self.operation(id);
        (operation.session == read.session && operation.invoke < read.to).then_some(id)
    }

    /// The faults whose entries belong beside a witness that spans these entries: those that were on meanwhile, else the last
    /// one before; at most two.
    pub(crate) fn faults_around(&self, from: usize, to: usize) -> Vec<&Fault> {
        self.faults.around(from, to)
    }
}

/// Nanoseconds, as a number.
pub(crate) fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

fn operations(history: &History) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::with_capacity(history.entries.len() / 2);
    let mut running: HashMap<u64, OperationId> = HashMap::new();
    for (entry, Entry { t, e }) in history.entries.iter().enumerate() {
        let moment = Moment { t: *t, entry };
        match e {
            Event::Invoke { id, instance, op, session, write, ttl_ms, due } => {
                if *instance >= history.head.instances {
                    continue;
                }
                running.insert(*id, operations.len());
                operations.push(Operation {
                    instance: *instance,
                    kind: *op,
                    session: *session,
                    write: *write,
                    ttl: ttl_ms.map(|ms| ms.saturating_mul(1_000_000)),
                    due: *due,
                    invoke: moment,
                    end: None,
                    ending: Ending::Missing,
                });
            }
            Event::Return { id, outcome } => {
                if let Some(operation) = running.remove(id).and_then(|id| operations.get_mut(id)) {
                    operation.end = Some(moment);
                    operation.ending = ending(operation.kind, outcome);
                }
            }
            Event::Fault { .. }
            | Event::Phase { .. }
            | Event::Breaker { .. }
            | Event::Mode { .. }
            | Event::Resync { .. }
            | Event::Wire { .. }
            | Event::Sample { .. }
            | Event::Final { .. } => {}
        }
    }
    operations
}

fn ending(kind: Kind, outcome: &Outcome) -> Ending {
    match outcome {
        Outcome::Ok { served_by, saw } => Ending::Acknowledged { by: *served_by, saw: *saw },
        Outcome::Failed { code, .. } if code == NO_SESSION && kind.needs_session() => Ending::NoSession,
        Outcome::Failed { .. } => Ending::Failed,
        Outcome::Unknown { .. } => Ending::Unknown,
    }
}

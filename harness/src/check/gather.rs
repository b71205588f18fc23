//! One pass over a history: each entry is looked at once, in order, and what the checks use of it is kept. The entry itself is not.

use std::collections::{BTreeSet, HashMap};

use super::breaker_safe::Change;
use super::faults::Faults;
use super::ids::Ids;
use super::index::Index;
use super::lives::Lives;
use super::operation::{Moment, Operation, OperationId};
use super::reads::Looker;
use super::spread::Spread;
use super::wire::WireReader;
use crate::history::{Entries, Entry, Event, Head, Wire};

/// Takes a history entry by entry, and makes an [`Index`] of it.
#[derive(Debug)]
pub struct Gather<'h> {
    pub(super) head: &'h Head,
    /// How many entries were taken.
    taken: usize,
    pub(super) over: u64,
    pub(super) operations: Vec<Operation>,
    running: HashMap<u64, OperationId, Spread>,
    returned: Ids,
    /// The first entries that tell of the return of no operation of the run, by the id that they name.
    strays: HashMap<u64, usize>,
    pub(super) twice: Option<Twice>,
    pub(super) looker: Looker,
    pub(super) faults: Faults,
    pub(super) wire: WireReader<'h>,
    pub(super) load_over: u64,
    pub(super) struck: BTreeSet<u32>,
    pub(super) lives: Lives,
    pub(super) changes: Vec<Vec<Change>>,
    /// What instances told of themselves but for their breakers, with the places of the entries.
    pub(super) told: Vec<(usize, Entry)>,
}

/// An operation that was invoked twice, or returned twice: which counts?
#[derive(Clone, Debug)]
pub(crate) struct Twice {
    pub(crate) id: u64,
    /// `was invoked` or `returned`.
    pub(crate) what: &'static str,
    /// The entries that say so.
    pub(crate) entries: [usize; 2],
}

impl<'h> Gather<'h> {
    /// Of a run with this head; nothing is taken yet.
    pub fn new(head: &'h Head) -> Self {
        Self {
            head,
            taken: 0,
            over: 0,
            operations: Vec::new(),
            running: HashMap::default(),
            returned: Ids::default(),
            strays: HashMap::new(),
            twice: None,
            looker: Looker::new(head.instances),
            faults: Faults::default(),
            wire: WireReader::new(head),
            load_over: u64::MAX,
            struck: BTreeSet::new(),
            lives: Lives::new(head.instances),
            changes: vec![Vec::new(); usize::from(head.instances)],
            told: Vec::new(),
        }
    }

    /// Takes the next entry.
    pub fn take(&mut self, entry: &Entry) {
        let moment = Moment { t: entry.t, entry: self.taken };
        let Moment { t, entry: place } = moment;
        (self.taken, self.over) = (self.taken + 1, t);
        self.looker.take(&entry.e, moment);
        match &entry.e {
            Event::Invoke { .. } => self.invoke(&entry.e, moment),
            Event::Return { id, outcome } => {
                let operation = self.running.remove(id);
                self.note_return(*id, operation, place);
                if let Some(operation) = operation {
                    self.operations[operation].returned(moment, outcome);
                }
            }
            Event::Fault { instances, on, asked, effect, .. } => {
                self.faults.take(&entry.e, t, place);
                if let (Some(how), true) = (effect.ends_instances, *on) {
                    instances
                        .iter()
                        .for_each(|instance| self.lives.end(*instance, (*asked).min(t), moment, how));
                    self.changes.resize(usize::from(self.lives.count()), Vec::new());
                }
            }
            Event::Breaker { instance, from, to } => {
                if let Some(life) = self.lives.now(*instance) {
                    let changes = &mut self.changes[usize::from(life)];
                    changes.push(Change { t, entry: place, from: *from, to: *to });
                }
            }
            Event::Mode { .. } | Event::Resync { .. } | Event::Sample { .. } => {
                let mut told = entry.clone();
                if let Event::Mode { instance, .. }
                | Event::Resync { instance, .. }
                | Event::Sample { instance, .. } = &mut told.e
                {
                    // One that the run does not have stays none.
                    *instance = self.lives.now(*instance).unwrap_or(u16::MAX);
                }
                self.told.push((place, told));
            }
            // What is expected of it names numbers, whoever has them.
            Event::Told { .. } => self.told.push((place, entry.clone())),
            Event::Wire { instance, what, .. } => {
                if let Wire::Struck { fault, .. } = what {
                    self.struck.insert(*fault);
                }
                if let Some(life) = self.lives.now(*instance) {
                    self.wire.take(&entry.e, t, place, life);
                }
            }
            Event::Phase { name } => {
                if name == "final" {
                    self.load_over = t;
                    self.wire.load_over(t);
                }
            }
            Event::Final { .. } => {}
        }
    }

    /// Puts in order what was taken. Witnesses will show the entries as `source` gives them.
    pub fn finish(self, source: &'h dyn Entries) -> Index<'h> {
        Index::arrange(self, source)
    }

    fn invoke(&mut self, event: &Event, moment: Moment) {
        let Some(mut operation) = Operation::invoked(event, moment) else { return };
        let Some(life) = self.lives.now(operation.instance) else { return };
        operation.instance = life;
        let id = operation.id;
        let before = self.running.insert(id, self.operations.len());
        if self.twice.is_none() && (before.is_some() || self.returned.contains(id)) {
            let first = self.operations.iter().rfind(|before| before.id == id);
            let entries = [first.map_or(moment.entry, |first| first.invoke.entry), moment.entry];
            self.twice = Some(Twice { id, what: "was invoked", entries });
        }
        self.operations.push(operation);
    }

    /// Notes that an operation returned, and whether it had returned before.
    fn note_return(&mut self, id: u64, operation: Option<OperationId>, place: usize) {
        if self.returned.insert(id) {
            if operation.is_none() {
                self.strays.insert(id, place);
            }
        } else if self.twice.is_none() {
            let ended = self.operations.iter().rev().filter(|operation| operation.id == id);
            let ended = ended.filter_map(|operation| operation.end.map(|end| end.entry)).max();
            let before = ended.or(self.strays.get(&id).copied()).unwrap_or(place);
            self.twice = Some(Twice { id, what: "returned", entries: [before, place] });
        }
    }
}

//! Everything that tells whether a session is there, and with which value: reads of the load, updates and touches, refusals with
//! `no-session`, and the final looks.

use super::index::{Ending, Index, Moment, Operation, OperationId};
use super::place::Place;
use crate::history::{Event, FinalRead, Left, Reader, Saw, ServedBy, SessionId, ValueSeen};
use crate::load::Kind;

/// A final look at a session.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) reader: Reader,
    pub(crate) session: SessionId,
    /// The look or return before it: this one began no earlier.
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    pub(crate) found: FinalRead,
    /// Whether Redis holds it in plain, where that was looked for.
    pub(crate) plain: Option<bool>,
    /// The operation that wrote the value found, if it is one on that session and was invoked in time.
    pub(crate) writer: Option<OperationId>,
}

/// What a reader may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// What Redis knows, and what the reader itself knows.
    Redis,
    /// What the reader itself knows.
    Own,
}

/// What a reader was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Seen {
    /// A value.
    Value(ValueSeen),
    /// The session is there, with so much of its TTL left in milliseconds (`None`: it has no TTL).
    There(Option<u64>),
    /// The session is there: it was updated or touched.
    Alive,
    /// There is surely no such session.
    Absent,
}

/// An answer that tells whether a session is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) session: SessionId,
    pub(crate) reader: Reader,
    pub(crate) view: View,
    /// Not earlier than this.
    pub(crate) from: Moment,
    /// Not later than this.
    pub(crate) to: Moment,
    pub(crate) seen: Seen,
    /// The operation of the load that it is; `None` for a final look.
    pub(crate) operation: Place,
    /// The operation that wrote the value seen, if it is one on that session and was invoked in time.
    pub(crate) writer: Place,
    /// Its place among the session's reads of the load, where the log gave it one.
    pub(crate) nth: Option<u32>,
}

impl Read {
    /// The value, if it saw one.
    pub(crate) fn value(&self) -> Option<ValueSeen> {
        match self.seen {
            Seen::Value(seen) => Some(seen),
            Seen::There(_) | Seen::Alive | Seen::Absent => None,
        }
    }

    /// Whether the reader is this instance of the run.
    pub(crate) fn is_by(&self, instance: usize) -> bool {
        match self.reader {
            Reader::Instance(number) => usize::from(number) == instance,
            Reader::Fresh | Reader::Redis => false,
        }
    }

    /// Whether it is one of the final looks.
    pub(crate) fn is_final(&self) -> bool {
        self.operation == Place::NONE
    }

    /// The entries that tell of it.
    pub(crate) fn entries(&self) -> Vec<usize> {
        if self.is_final() { vec![self.to.entry] } else { vec![self.from.entry, self.to.entry] }
    }
}

/// Collects the final looks of a history, entry by entry.
#[derive(Debug)]
pub(crate) struct Looker {
    instances: u16,
    before: Moment,
    looks: Vec<Look>,
}

impl Looker {
    /// Of a run of so many instances.
    pub(crate) fn new(instances: u16) -> Self {
        Self { instances, before: Moment { t: 0, entry: 0 }, looks: Vec::new() }
    }

    /// Takes the next entry.
    pub(crate) fn take(&mut self, event: &Event, moment: Moment) {
        match event {
            Event::Final { reader, session, found, plain } => {
                let of_run = match reader {
                    Reader::Instance(number) => *number < self.instances,
                    Reader::Fresh | Reader::Redis => true,
                };
                if of_run {
                    let (reader, session, found, plain) = (*reader, *session, found.clone(), *plain);
                    let from = self.before;
                    self.looks.push(Look { reader, session, from, to: moment, found, plain, writer: None });
                }
                self.before = moment;
            }
            Event::Phase { .. } | Event::Return { .. } => self.before = moment,
            Event::Invoke { .. }
            | Event::Fault { .. }
            | Event::Breaker { .. }
            | Event::Mode { .. }
            | Event::Resync { .. }
            | Event::Wire { .. }
            | Event::Sample { .. }
            | Event::Told { .. } => {}
        }
    }

    /// All looks, in order.
    pub(crate) fn finish(self) -> Vec<Look> {
        self.looks
    }
}

/// What an operation of the load read, if it told anything.
pub(crate) fn of_operation(index: &Index<'_>, id: OperationId, operation: &Operation) -> Option<Read> {
    let (view, seen) = told(index, operation)?;
    Some(Read {
        session: operation.session,
        reader: Reader::Instance(operation.instance),
        view,
        from: operation.invoke,
        to: operation.end?,
        seen,
        operation: Place::of(id),
        writer: Place::from(index.writer(id)),
        nth: None,
    })
}

/// What a final look read, if it told anything.
pub(crate) fn of_look(index: &Index<'_>, look: &Look) -> Option<Read> {
    let seen = match look.found {
        FinalRead::Value(Some(seen)) => Seen::Value(seen),
        FinalRead::Key(Some(Left::Millis(ms))) => Seen::There(Some(ms)),
        FinalRead::Key(Some(Left::Forever)) => Seen::There(None),
        FinalRead::Value(None) | FinalRead::Key(None) => Seen::Absent,
        FinalRead::Error { .. } => return None,
    };
    let view = match look.reader {
        Reader::Fresh | Reader::Redis => View::Redis,
        // It does not say who served it. Once all must have settled that makes no difference.
        Reader::Instance(_) if look.from.t > index.settled_after(0) => View::Redis,
        Reader::Instance(_) => without_word(index),
    };
    let Look { session, from, to, writer, .. } = *look;
    let (reader, writer) = (index.reader(look), Place::from(writer));
    Some(Read { session, reader, view, from, to, seen, operation: Place::NONE, writer, nth: None })
}

fn told(index: &Index<'_>, operation: &Operation) -> Option<(View, Seen)> {
    match operation.ending {
        Ending::Acknowledged { by, saw } => {
            let view = match by {
                ServedBy::Redis => View::Redis,
                ServedBy::Local => View::Own,
            };
            match saw {
                Saw::Done | Saw::Replicated => match operation.kind {
                    Kind::Update | Kind::Touch => Some((view, Seen::Alive)),
                    Kind::Create | Kind::Get | Kind::Destroy | Kind::Ttl => None,
                },
                Saw::Value(Some(seen)) => Some((view, Seen::Value(seen))),
                Saw::Ttl(Some(ms)) => Some((view, Seen::There(Some(ms)))),
                Saw::Value(None) | Saw::Ttl(None) => Some((view, Seen::Absent)),
            }
        }
        Ending::NoSession => Some((without_word(index), Seen::Absent)),
        Ending::Failed | Ending::Unknown | Ending::Missing => None,
    }
}

/// Who served an answer that does not say so: a subject with a fallback may have answered from its own knowledge.
fn without_word(index: &Index<'_>) -> View {
    if index.has_fallback() { View::Own } else { View::Redis }
}

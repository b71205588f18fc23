//! An operation of the load, with its end.

use crate::history::{Event, NO_SESSION, Outcome, Saw, ServedBy, SessionId, Write};
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
    /// The name that the history gives it.
    pub(crate) id: u64,
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
    /// Whether it surely failed because Redis was away.
    pub(crate) away: bool,
}

/// Names an operation: its place in the order in which all were invoked.
pub(crate) type OperationId = usize;

impl Operation {
    /// The operation that `event` hands to an instance, if it does.
    pub(crate) fn invoked(event: &Event, invoke: Moment) -> Option<Self> {
        let Event::Invoke { id, instance, op, session, write, ttl_ms, due } = *event else { return None };
        Some(Self {
            id,
            instance,
            kind: op,
            session,
            write,
            ttl: ttl_ms.map(|ms| ms.saturating_mul(1_000_000)),
            due,
            invoke,
            end: None,
            ending: Ending::Missing,
            away: false,
        })
    }

    /// Whether it is a write that Redis acknowledged, and replicas have.
    pub(crate) fn replicated(&self) -> bool {
        matches!(self.ending, Ending::Acknowledged { by: ServedBy::Redis, saw: Saw::Replicated })
    }

    /// Takes its return.
    pub(crate) fn returned(&mut self, end: Moment, outcome: &Outcome) {
        self.end = Some(end);
        self.ending = match outcome {
            Outcome::Ok { served_by, saw } => Ending::Acknowledged { by: *served_by, saw: *saw },
            Outcome::Failed { code, .. } if code == NO_SESSION && self.kind.needs_session() => {
                Ending::NoSession
            }
            Outcome::Failed { .. } => Ending::Failed,
            Outcome::Unknown { .. } => Ending::Unknown,
        };
        self.away = match outcome {
            Outcome::Failed { code, .. } => {
                ["unavailable", "timeout", "reset", "refused"].contains(&code.as_str())
            }
            Outcome::Ok { .. } | Outcome::Unknown { .. } => false,
        };
    }

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

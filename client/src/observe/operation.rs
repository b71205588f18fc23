//! Tells of each operation that a user asks for: a span while it goes on, an event when it has ended.

use std::sync::atomic::Ordering;

use tracing::Instrument as _;

use crate::answer::{Ack, Lookup, ServedBy, SessionError};
use crate::event::{Ended, Event, Operation};
use crate::store::Store;

/// An answer that says who gave it.
pub(crate) trait Answer {
    /// How the operation ended that it answers.
    fn ended(&self) -> Ended;
}

impl Answer for Ack {
    fn ended(&self) -> Ended {
        by(self.served_by)
    }
}

impl<T> Answer for Lookup<T> {
    fn ended(&self) -> Ended {
        match self {
            Self::Found { served_by, .. } | Self::Absent { served_by } => by(*served_by),
            Self::Unknown { .. } => Ended::Unknown,
        }
    }
}

fn by(served_by: ServedBy) -> Ended {
    match served_by {
        ServedBy::Redis => Ended::Redis,
        ServedBy::Local => Ended::Local,
    }
}

impl Store {
    /// Does it, and tells how it ended.
    pub(crate) async fn told<A: Answer>(
        &self,
        operation: Operation,
        doing: impl Future<Output = Result<A, SessionError>>,
    ) -> Result<A, SessionError> {
        let began = self.clock.now();
        // No id: it is what lets its owner in.
        let span = tracing::debug_span!("session", operation = operation.name());
        let answer = doing.instrument(span).await;
        let ended = match &answer {
            Ok(answer) => answer.ended(),
            Err(error) => Ended::Failed(error.clone()),
        };
        let at = self.clock.now();
        if ended == Ended::Redis {
            self.foreground().took(at.since(began), self.resyncing.load(Ordering::Relaxed));
        }
        (self.observer)(&Event::Operation { at, operation, took: at.since(began), ended });
        answer
    }
}

//! What the client tells about itself, as it happens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::answer::{ServedBy, SessionError};
use crate::core::breaker::{State, Transition};
use crate::core::circuits::Circuit;
use crate::core::class::Class;
use crate::core::time::Time;
use crate::error::CallError;

/// Something that happened in the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The breaker changed.
    Breaker {
        /// When.
        at: Time,
        /// The state left.
        from: State,
        /// The state entered.
        to: State,
        /// Why, in a few words.
        reason: &'static str,
    },
    /// The breaker of a class of calls that has thresholds of its own changed.
    ClassBreaker {
        /// When.
        at: Time,
        /// The class.
        class: Class,
        /// The state left.
        from: State,
        /// The state entered.
        to: State,
        /// Why, in a few words.
        reason: &'static str,
    },
    /// Who serves operations from now on.
    Mode {
        /// When.
        at: Time,
        /// Who.
        to: Mode,
    },
    /// The resync.
    Resync {
        /// When.
        at: Time,
        /// What it does.
        what: Resync,
    },
    /// A call took longer than `slow_call`.
    Slow {
        /// When it ended.
        at: Time,
        /// How long it took.
        took: Duration,
    },
    /// An operation that a user asked for has ended. One that its caller gave up is not told.
    Operation {
        /// When.
        at: Time,
        /// What was asked for.
        operation: Operation,
        /// How long it took.
        took: Duration,
        /// How it ended.
        ended: Ended,
    },
    /// A session of a [`SessionStore`](crate::SessionStore) was stored, loaded, extended or deleted.
    Session {
        /// When.
        at: Time,
        /// What a line of the log says of it.
        line: SessionLine,
    },
    /// An attempt of a call to Redis failed. Another attempt, or the local copy, may still save the operation.
    Failed {
        /// When.
        at: Time,
        /// The command, such as `GET`.
        command: String,
        /// Why.
        error: CallError,
    },
    /// The disk of the durable fallback failed, or works again. Not told again while it stays so.
    Disk {
        /// When.
        at: Time,
        /// Why it failed; `None` when it works again.
        trouble: Option<String>,
    },
    /// A value in Redis that is not one of ours, or not whole, was found.
    Corrupt {
        /// When.
        at: Time,
    },
}

impl Event {
    /// A breaker changed.
    pub fn of_breaker(circuit: Circuit, change: Transition) -> Self {
        let Transition { at, from, to, reason } = change;
        match circuit {
            Circuit::Endpoint => Self::Breaker { at, from, to, reason },
            Circuit::Class(class) => Self::ClassBreaker { at, class, from, to, reason },
        }
    }
}

/// What a line of the log says of a session. Its id is not told: it lets its owner in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLine {
    /// `stored`, `loaded`, `extended` or `deleted`.
    pub what: &'static str,
    /// How long it lives on, where that is known.
    pub ttl: Option<Duration>,
    /// Messages in it, where that is known.
    pub messages: Option<u64>,
    /// Who did it.
    pub served_by: ServedBy,
}

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Makes a session.
    Create,
    /// Reads one.
    Get,
    /// Writes its value.
    Update,
    /// Sets how long it lives.
    Touch,
    /// Ends it.
    Destroy,
}

impl Operation {
    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Touch => "touch",
            Self::Destroy => "destroy",
        }
    }
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// Redis answered it.
    Redis,
    /// The local copy did.
    Local,
    /// A read that nobody could answer.
    Unknown,
    /// It failed.
    Failed(SessionError),
}

impl Ended {
    /// Its name in logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Local => "local",
            Self::Unknown => "unknown",
            Self::Failed(_) => "failed",
        }
    }
}

/// Who serves operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Redis.
    Redis,
    /// The local copy.
    Local,
}

/// What the resync does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resync {
    /// It starts with so many sessions to bring.
    Started {
        /// Sessions that wait.
        sessions: u64,
    },
    /// Nothing is left to bring.
    Finished {
        /// Sessions brought since the start.
        sessions: u64,
    },
    /// It was cut short; it starts again when Redis is back.
    Interrupted {
        /// Sessions left.
        sessions: u64,
        /// Sessions brought since the start.
        brought: u64,
    },
}

/// Called with every event, in order, on the task where it happens. It must not block. If it panics, that is printed, and the client
/// goes on.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// An observer whose panics do no harm: it is told within the client's own tasks, which must outlive it.
pub(crate) fn harmless(observer: Observer) -> Observer {
    Arc::new(move |event| {
        // The panic has been printed by then.
        let _told = catch_unwind(AssertUnwindSafe(|| observer(event)));
    })
}

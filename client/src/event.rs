//! What the client tells about itself, as it happens.

use std::sync::Arc;
use std::time::Duration;

use crate::core::breaker::State;
use crate::core::time::Time;

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
    },
}

/// Called with every event, in order, on the task where it happens. It must not block.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

//! What happened in a run, in order: the only thing that checks and reports ever see.
//!
//! A history is JSON lines. The first line is the [`Head`]: who ran what, and the rules that the run is judged by. Every
//! other line is an [`Entry`]: a time in nanoseconds since the start of the run, and an [`Event`]. Entries are in the order
//! in which they were recorded, and their times never go back. `docs/history.md` has every entry with an example.

mod ahead;
mod error;
mod event;
mod file;
mod head;
mod reader;
mod saved;
mod told;
mod value;

pub use error::HistoryError;
pub use event::{
    BreakerState, Effect, End, Entry, Event, FinalRead, Left, Mode, NO_SESSION, Outcome, Reader, ReplyKind,
    Resync, Sample, Saw, ServedBy, Wire,
};
pub use file::{read, write, write_entries};
pub use head::{
    BreakerRule, Capability, Head, MOST_INSTANCES, MOST_SESSIONS, PhaseSpan, RetryRule, Rules, SCHEMA,
};
pub use reader::EntryReader;
pub use saved::{Entries, Saved};
pub use told::{LONGEST_TOLD, Telling, Topic};
pub use value::{SessionId, ValueSeen, Write};

/// A whole run: its head and every entry.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Who ran what, and the rules of judgement.
    pub head: Head,
    /// What happened, in order.
    pub entries: Vec<Entry>,
}

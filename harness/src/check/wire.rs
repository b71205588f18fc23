//! What crossed the wire between each instance and Redis: commands with the time of their replies, and signs of trouble.

use std::collections::{BTreeMap, VecDeque};

use super::keys::Keys;
use crate::history::{Event, History, ReplyKind, SessionId, Wire};

/// A reply that takes longer than this may have been too late for the subject, whose timeouts a history does not know.
pub(crate) const SLOW: u64 = 10_000_000;

/// Commands that set a connection up or ask the server about itself. They are no calls of the subject's work.
const SET_UP: [&str; 10] =
    ["HELLO", "CLIENT", "AUTH", "SELECT", "TIME", "INFO", "SCRIPT", "CONFIG", "QUIT", "ECHO"];

/// A command that left an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command<'h> {
    pub(crate) entry: usize,
    pub(crate) t: u64,
    pub(crate) name: &'h str,
    /// When its reply arrived, or its connection ended.
    pub(crate) over: Option<u64>,
    /// Whether that was a reply, and no error.
    pub(crate) succeeded: bool,
    /// The first word of the error that it was, if it was one.
    pub(crate) error: Option<&'h str>,
    /// The session whose key is its first.
    pub(crate) session: Option<SessionId>,
}

/// Everything that crossed the wire of one instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct WireLog<'h> {
    /// Its commands, in order.
    pub(crate) commands: Vec<Command<'h>>,
    /// When connections ended otherwise than by the subject's own doing, or without ever having had a reply.
    pub(crate) broken_connections: Vec<u64>,
    /// Connections open at the end, by number, with the entry of their opening.
    pub(crate) open: BTreeMap<u32, usize>,
    /// Whether the tap saw anything at all.
    pub(crate) seen: bool,
    /// Whether there was anything that it could not read.
    pub(crate) garbled: bool,
}

/// A connection as it is followed.
#[derive(Default)]
struct Connection {
    unanswered: VecDeque<usize>,
    replied: bool,
    garbled: bool,
}

impl Command<'_> {
    /// Whether it sets a connection up.
    pub(crate) fn sets_up(&self) -> bool {
        SET_UP.contains(&self.name)
    }

    /// Whether it does the subject's work: neither set-up nor a probe.
    pub(crate) fn is_data(&self) -> bool {
        !self.sets_up() && self.name != "PING"
    }

    /// Whether it may have looked to the subject like a failure by `t`.
    pub(crate) fn troubled(&self, t: u64) -> bool {
        !self.succeeded || self.over.is_none_or(|over| over.min(t).saturating_sub(self.t) >= SLOW)
    }
}

/// Reads the wire log of every instance of the run.
pub(crate) fn read(history: &History) -> Vec<WireLog<'_>> {
    let mut logs = vec![WireLog::default(); usize::from(history.head.instances)];
    let keys = Keys::new(&history.head.key);
    let mut connections: BTreeMap<(u16, u32), Connection> = BTreeMap::new();
    for (entry, line) in history.entries.iter().enumerate() {
        let Event::Wire { instance, connection: number, what } = &line.e else { continue };
        let Some(log) = logs.get_mut(usize::from(*instance)) else { continue };
        log.seen = true;
        let connection = connections.entry((*instance, *number)).or_default();
        match what {
            Wire::Opened => _ = log.open.insert(*number, entry),
            Wire::Closed { by } => {
                log.open.remove(number);
                if !by.starts_with("subject") || !connection.replied {
                    log.broken_connections.push(line.t);
                }
                for command in connection.unanswered.drain(..) {
                    log.commands[command].over = Some(line.t);
                }
                connections.remove(&(*instance, *number));
            }
            Wire::Command { name, key } => {
                connection.unanswered.push_back(log.commands.len());
                let session = keys.zip(key.as_deref()).and_then(|(keys, key)| keys.session(key));
                let (t, over, succeeded, error) = (line.t, None, false, None);
                log.commands.push(Command { entry, t, name, over, succeeded, error, session });
            }
            Wire::Reply { kind: ReplyKind::Push } => {}
            Wire::Reply { kind } => {
                connection.replied = true;
                if let Some(command) = connection.unanswered.pop_front() {
                    log.commands[command].over = Some(line.t);
                    log.commands[command].succeeded =
                        !connection.garbled && !matches!(kind, ReplyKind::Error(_));
                    log.commands[command].error = match kind {
                        ReplyKind::Error(word) if !connection.garbled => Some(word),
                        ReplyKind::Error(_) | ReplyKind::Value | ReplyKind::Null | ReplyKind::Push => None,
                    };
                }
            }
            // What it did shows in the replies and in the connection's end.
            Wire::Struck { .. } => {}
            Wire::Garbled { .. } => (connection.garbled, log.garbled) = (true, true),
        }
    }
    logs
}

//! What crossed the wire between each instance and Redis: commands with the time of their replies, and signs of trouble.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::history::{Event, ReplyKind, Wire};

/// A reply that takes longer than this may have been too late for the subject, whose timeouts a history does not know.
pub(crate) const SLOW: u64 = 10_000_000;

/// Commands that set a connection up or ask the server about itself. They are no calls of the subject's work.
const SET_UP: [&str; 10] =
    ["HELLO", "CLIENT", "AUTH", "SELECT", "TIME", "INFO", "SCRIPT", "CONFIG", "QUIT", "ECHO"];

/// A command that left an instance.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) entry: usize,
    pub(crate) t: u64,
    /// Shared by all commands of that name.
    pub(crate) name: Arc<str>,
    /// When its reply arrived, or its connection ended.
    pub(crate) over: Option<u64>,
    /// Whether that was a reply, and no error.
    pub(crate) succeeded: bool,
}

/// Everything that crossed the wire of one instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct WireLog {
    /// Its commands, in order.
    pub(crate) commands: Vec<Command>,
    /// When commands succeeded, in order.
    pub(crate) successes: Vec<u64>,
    /// When connections ended otherwise than by the subject's own doing, or without ever having had a reply, in order.
    pub(crate) broken_connections: Vec<u64>,
    /// Connections open at the end, by number, with the entry of their opening.
    pub(crate) open: BTreeMap<u32, usize>,
    /// Whether the tap saw anything at all.
    pub(crate) seen: bool,
}

/// Reads what the tap saw, entry by entry.
#[derive(Debug, Default)]
pub(crate) struct WireReader {
    logs: Vec<WireLog>,
    connections: HashMap<(u16, u32), Connection>,
    names: HashSet<Arc<str>>,
}

/// A connection as it is followed.
#[derive(Debug, Default)]
struct Connection {
    unanswered: VecDeque<usize>,
    replied: bool,
    garbled: bool,
}

impl Command {
    /// Whether it sets a connection up.
    pub(crate) fn sets_up(&self) -> bool {
        SET_UP.contains(&&*self.name)
    }

    /// Whether it does the subject's work: neither set-up nor a probe.
    pub(crate) fn is_data(&self) -> bool {
        !self.sets_up() && &*self.name != "PING"
    }
}

impl WireReader {
    /// Of a run of so many instances.
    pub(crate) fn new(instances: u16) -> Self {
        Self { logs: vec![WireLog::default(); usize::from(instances)], ..Self::default() }
    }

    /// Takes the next entry, if it is of the tap.
    pub(crate) fn take(&mut self, event: &Event, t: u64, entry: usize) {
        let Event::Wire { instance, connection: number, what } = event else { return };
        let Some(log) = self.logs.get_mut(usize::from(*instance)) else { return };
        log.seen = true;
        let connection = self.connections.entry((*instance, *number)).or_default();
        match what {
            Wire::Opened => _ = log.open.insert(*number, entry),
            Wire::Closed { by } => {
                log.open.remove(number);
                if !by.starts_with("subject") || !connection.replied {
                    log.broken_connections.push(t);
                }
                for command in connection.unanswered.drain(..) {
                    log.commands[command].over = Some(t);
                }
                self.connections.remove(&(*instance, *number));
            }
            Wire::Command { name, .. } => {
                connection.unanswered.push_back(log.commands.len());
                let name = shared(&mut self.names, name);
                log.commands.push(Command { entry, t, name, over: None, succeeded: false });
            }
            Wire::Reply { kind: ReplyKind::Push } => {}
            Wire::Reply { kind } => {
                connection.replied = true;
                if let Some(command) = connection.unanswered.pop_front() {
                    let succeeded = !connection.garbled && !matches!(kind, ReplyKind::Error(_));
                    log.commands[command].over = Some(t);
                    log.commands[command].succeeded = succeeded;
                    if succeeded {
                        log.successes.push(t);
                    }
                }
            }
            // What it did shows in the replies and in the connection's end.
            Wire::Struck { .. } => {}
            Wire::Garbled { .. } => connection.garbled = true,
        }
    }

    /// The logs of all instances.
    pub(crate) fn finish(mut self) -> Vec<WireLog> {
        for log in &mut self.logs {
            log.commands.shrink_to_fit();
        }
        self.logs
    }
}

/// The text, of which there is only one.
fn shared(known: &mut HashSet<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(known) = known.get(text) {
        return Arc::clone(known);
    }
    let text: Arc<str> = text.into();
    known.insert(Arc::clone(&text));
    text
}

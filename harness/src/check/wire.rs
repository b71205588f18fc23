//! What crossed the wire between each instance and Redis: commands with the time of their replies, and signs of trouble.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::command::Class;
pub(crate) use super::command::Command;
use super::keys::Keys;
use super::spread::Spread;
use crate::history::{Event, Head, ReplyKind, Wire};

/// A reply that takes longer than this may have been too late for the subject, whose timeouts a history does not know.
pub(crate) const SLOW: u64 = 10_000_000;

/// Everything that crossed the wire of one instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct WireLog {
    /// Its commands, in order.
    pub(crate) commands: Vec<Command>,
    /// When commands succeeded, in order.
    pub(crate) successes: Vec<u64>,
    /// When connections ended otherwise than by the subject's own doing, or without ever having had a reply, in order.
    pub(crate) broken_connections: Vec<u64>,
    /// Connections to Redis open at the end, by number, with the entry of their opening.
    pub(crate) open: BTreeMap<u32, usize>,
    /// Whether the tap saw anything at all.
    pub(crate) seen: bool,
    /// Whether there was anything that it could not read.
    pub(crate) garbled: bool,
    /// When connections were opened, and when they ended, in order.
    pub(crate) opened: Vec<u64>,
    pub(crate) closed: Vec<u64>,
    /// When each connection that has ended was opened, and when it ended, in the order of the ends.
    pub(crate) lives: Vec<(u64, u64)>,
    /// The first words of the errors that came.
    pub(crate) errors: BTreeSet<Arc<str>>,
    /// When anything was seen last before the load was over.
    pub(crate) last_of_load: Option<u64>,
    /// When anything was seen last, and when before that time.
    latest: Option<u64>,
    before: Option<u64>,
}

/// Reads what the tap saw, entry by entry.
#[derive(Debug)]
pub(crate) struct WireReader<'h> {
    keys: Option<Keys<'h>>,
    /// By life.
    logs: Vec<WireLog>,
    connections: HashMap<(u16, u32), Connection, Spread>,
    /// Names of commands and first words of errors.
    names: HashMap<Arc<str>, Class>,
    /// Whether the load was over.
    load_over: bool,
}

/// A connection as it is followed.
#[derive(Debug, Default)]
struct Connection {
    /// The life that it is of: the one that had the number when it was opened.
    life: usize,
    /// When it was opened, where that was seen.
    opened: Option<u64>,
    unanswered: VecDeque<usize>,
    replied: bool,
    garbled: bool,
    /// The entry of its opening, if it leads to a sentinel as far as its commands tell.
    of_sentinel: Option<usize>,
}

impl WireLog {
    fn see(&mut self, t: u64) {
        self.seen = true;
        if self.latest != Some(t) {
            self.before = self.latest.replace(t);
        }
    }
}

impl<'h> WireReader<'h> {
    /// Of a run with this head.
    pub(crate) fn new(head: &'h Head) -> Self {
        Self {
            keys: Keys::new(&head.key),
            logs: vec![WireLog::default(); usize::from(head.instances)],
            connections: HashMap::default(),
            names: HashMap::new(),
            load_over: false,
        }
    }

    /// The load is over at `t`. Should it be told again, the last time counts.
    pub(crate) fn load_over(&mut self, t: u64) {
        self.load_over = true;
        for log in &mut self.logs {
            log.last_of_load = if log.latest < Some(t) { log.latest } else { log.before };
        }
    }

    /// Takes the next entry, if it is of the tap. `life` is the one that has the number now.
    pub(crate) fn take(&mut self, event: &Event, t: u64, entry: usize, life: u16) {
        let Event::Wire { instance, connection: number, what } = event else { return };
        let life = usize::from(life);
        if self.logs.len() <= life {
            self.logs.resize(life + 1, WireLog::default());
        }
        let new = || Connection { life, ..Connection::default() };
        let connection = self.connections.entry((*instance, *number)).or_insert_with(new);
        let log = &mut self.logs[connection.life];
        log.see(t);
        match what {
            Wire::Opened => {
                log.opened.push(t);
                connection.opened.get_or_insert(t);
                log.open.insert(*number, entry);
            }
            Wire::Closed { by } => {
                log.closed.push(t);
                log.lives.extend(connection.opened.map(|opened| (opened, t)));
                log.open.remove(number);
                if !by.starts_with("subject") || !connection.replied {
                    log.broken_connections.push(t);
                }
                for command in connection.unanswered.drain(..) {
                    log.commands[command].over = Some(t);
                }
                self.connections.remove(&(*instance, *number));
            }
            Wire::Command { name, key } => {
                if name == "SENTINEL"
                    && let Some(opened) = log.open.remove(number)
                {
                    connection.of_sentinel = Some(opened);
                }
                connection.unanswered.push_back(log.commands.len());
                let session = self.keys.zip(key.as_deref()).and_then(|(keys, key)| keys.session(key));
                let (name, class) = shared(&mut self.names, name);
                if class != Class::SetUp
                    && let Some(opened) = connection.of_sentinel.take()
                {
                    log.open.insert(*number, opened);
                }
                let (over, succeeded, error) = (None, false, None);
                log.commands.push(Command { entry, t, name, class, over, succeeded, error, session });
            }
            Wire::Reply { kind: ReplyKind::Push } => {}
            Wire::Reply { kind } => {
                connection.replied = true;
                if let ReplyKind::Error(word) = kind {
                    log.errors.insert(shared(&mut self.names, word).0);
                }
                if let Some(command) = connection.unanswered.pop_front() {
                    let succeeded = !connection.garbled && !matches!(kind, ReplyKind::Error(_));
                    log.commands[command].over = Some(t);
                    log.commands[command].succeeded = succeeded;
                    log.commands[command].error = match kind {
                        ReplyKind::Error(word) if !connection.garbled => {
                            Some(shared(&mut self.names, word).0)
                        }
                        ReplyKind::Error(_) | ReplyKind::Value | ReplyKind::Null | ReplyKind::Push => None,
                    };
                    if succeeded {
                        log.successes.push(t);
                    }
                }
            }
            // What it did shows in the replies and in the connection's end.
            Wire::Struck { .. } => {}
            Wire::Garbled { .. } => (connection.garbled, log.garbled) = (true, true),
        }
    }

    /// The logs of so many lives.
    pub(crate) fn finish(mut self, lives: u16) -> Vec<WireLog> {
        self.logs.resize(usize::from(lives), WireLog::default());
        for log in &mut self.logs {
            log.commands.shrink_to_fit();
            if !self.load_over {
                log.last_of_load = log.latest;
            }
        }
        self.logs
    }
}

/// The text, of which there is only one, and what a command of that name is.
fn shared(known: &mut HashMap<Arc<str>, Class>, text: &str) -> (Arc<str>, Class) {
    if let Some((known, class)) = known.get_key_value(text) {
        return (Arc::clone(known), *class);
    }
    let (text, class): (Arc<str>, _) = (text.into(), Class::of(text));
    known.insert(Arc::clone(&text), class);
    (text, class)
}

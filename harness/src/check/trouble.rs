//! Signs of trouble of one instance, arranged so that what there was in a stretch of time is found in O(log n): operations that
//! did not go well, commands that failed or were slow, connections that broke.

use super::index::{Ending, Index, Operation};
use super::wire::{Command, SLOW, WireLog};
use crate::history::ServedBy;

/// Signs of trouble of one instance.
#[derive(Debug)]
pub(super) struct Trouble<'a> {
    /// When operations in trouble began, and the latest end of those so far; what never ended never is over.
    operations: Vec<(u64, u64)>,
    /// When operations that Redis served well began and ended, in the order of their beginnings.
    served: Vec<(u64, u64)>,
    /// Commands that failed or were slow, with the latest end so far.
    commands: Vec<(&'a Command, u64)>,
    /// When commands were sent that nothing ever ended.
    unanswered: Vec<u64>,
    broken_connections: &'a [u64],
}

impl<'a> Trouble<'a> {
    /// Of this instance, whose wire log this is.
    pub(super) fn new(index: &Index<'_>, instance: u16, wire: &'a WireLog) -> Self {
        let mut operations: Vec<(u64, u64)> = Vec::new();
        let mut served = Vec::new();
        for (_, operation) in index.operations_of(instance) {
            let (start, end) = (operation.invoke.t, operation.end.map(|end| end.t));
            if in_trouble(operation) {
                let latest = operations.last().map_or(0, |(_, latest)| *latest);
                operations.push((start, end.unwrap_or(u64::MAX).max(latest)));
            } else if let (Some(ServedBy::Redis), Some(end)) = (operation.served_by(), end) {
                served.push((start, end));
            }
        }
        let mut commands: Vec<(&Command, u64)> = Vec::new();
        let mut unanswered = Vec::new();
        for command in &wire.commands {
            match command.over {
                None => unanswered.push(command.t),
                Some(over) if !command.succeeded || over.saturating_sub(command.t) >= SLOW => {
                    let latest = commands.last().map_or(0, |(_, latest)| *latest);
                    commands.push((command, over.max(latest)));
                }
                Some(_) => {}
            }
        }
        Self { operations, served, commands, unanswered, broken_connections: &wire.broken_connections }
    }

    /// Whether an operation in trouble began by `t` and was not over before `since`.
    pub(super) fn of_operations(&self, since: u64, t: u64) -> bool {
        let begun = self.operations.partition_point(|(start, _)| *start <= t);
        begun.checked_sub(1).is_some_and(|last| self.operations[last].1 >= since)
    }

    /// When an operation that Redis served well ended before `t`, the last of those that began before it.
    pub(super) fn last_success(&self, t: u64) -> Option<u64> {
        let begun = self.served.partition_point(|(start, _)| *start < t);
        self.served[..begun].iter().rev().map(|(_, end)| *end).find(|end| *end < t)
    }

    /// How many signs of trouble the wire shows from `since` to `t`: commands that may have looked like failures by then, and
    /// broken connections.
    pub(super) fn on_the_wire(&self, since: u64, t: u64) -> usize {
        let sent = self.commands.partition_point(|(command, _)| command.t <= t);
        let recent = self.commands[..sent].iter().rev().take_while(|(_, latest)| since <= *latest);
        let counts = |command: &Command| {
            let over = command.over.unwrap_or(u64::MAX);
            since <= over && (!command.succeeded || over.min(t).saturating_sub(command.t) >= SLOW)
        };
        let commands = recent.filter(|(command, _)| counts(command)).count();
        let unanswered = self.unanswered.partition_point(|sent| *sent <= t);
        let broken = self.broken_connections;
        let before = broken.partition_point(|broken| *broken < since);
        let connections = broken.partition_point(|broken| *broken <= t).saturating_sub(before);
        commands + unanswered + connections
    }
}

/// Whether anything about an operation may come of a failure of Redis, as lenient as can be.
fn in_trouble(operation: &Operation) -> bool {
    let slow = operation.end.is_none_or(|end| end.t - operation.invoke.t >= SLOW);
    slow || match operation.ending {
        Ending::Acknowledged { by, .. } => by == ServedBy::Local,
        Ending::NoSession => false,
        Ending::Failed | Ending::Unknown | Ending::Missing => true,
    }
}

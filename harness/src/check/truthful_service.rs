//! A part of I18: what an instance says Redis answered, Redis was asked.

use std::collections::HashMap;

use super::command::Class;
use super::index::{Index, OperationId};
use super::keys::Keys;
use super::spread::Spread;
use super::tally::Tally;
use super::wire::{Command, WireLog};
use super::words;
use crate::history::{ServedBy, SessionId};

/// When commands were under way, in the order in which they were sent: for each when it was sent, and when the last so far was
/// over.
#[derive(Default)]
struct Asked(Vec<(u64, u64)>);

impl Asked {
    fn add(&mut self, command: &Command) {
        let over = command.over.unwrap_or(u64::MAX);
        let last = self.0.last().map_or(over, |(_, last)| over.max(*last));
        self.0.push((command.t, last));
    }

    /// Whether one was under way at some time from `from` to `to`.
    fn between(&self, from: u64, to: u64) -> bool {
        let sent = self.0.partition_point(|(sent, _)| *sent <= to);
        sent.checked_sub(1).is_some_and(|last| self.0[last].1 >= from)
    }
}

/// Judges every operation that Redis is said to have served, where all that the instance sent is known.
pub(super) fn judge(index: &Index<'_>, tally: &mut Tally) {
    if Keys::new(&index.head.key).is_none() {
        return;
    }
    // A tap that saw no call at all has not seen what there was.
    let complete = |wire: &WireLog| !wire.garbled && wire.commands.iter().any(Command::is_data);
    for (instance, wire) in (0..).zip(index.wire()).filter(|(_, wire)| complete(wire)) {
        let (named, others) = asked(wire);
        let nobody = Asked::default();
        for (id, operation) in index.operations_of(instance) {
            let by_redis = operation.served_by() == Some(ServedBy::Redis);
            let Some(end) = operation.end.filter(|_| by_redis) else { continue };
            // Another call for the session may have been under way, and have served this one too.
            let from = operation.invoke.t.saturating_sub(index.slack());
            let to = end.t.saturating_add(index.slack());
            let named = named.get(&operation.session).unwrap_or(&nobody);
            if named.between(from, to) || others.between(from, to) {
                tally.judged();
            } else {
                never_asked(index, id, tally);
            }
        }
    }
}

/// Commands by the session that they name; and those that may be about any.
fn asked(wire: &WireLog) -> (HashMap<SessionId, Asked, Spread>, Asked) {
    let (mut named, mut others) = (HashMap::<SessionId, Asked, Spread>::default(), Asked::default());
    for command in wire.commands.iter().filter(|command| command.is_data()) {
        if let Some(session) = command.session {
            named.entry(session).or_default().add(command);
        }
        if command.class != Class::OfOneKey {
            others.add(command);
        }
    }
    (named, others)
}

fn never_asked(index: &Index<'_>, id: OperationId, tally: &mut Tally) {
    let operation = index.operation(id);
    tally.broken(operation.end.map_or(0, |end| end.entry), || {
        let says = format!(
            "{} said that Redis answered {}; yet it sent no command for {} meanwhile, and had none under way",
            index.who(operation.instance),
            words::operation(index, id),
            operation.session,
        );
        (says, operation.entries().collect())
    });
}

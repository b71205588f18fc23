//! A part of I16: a call that Redis refuses for good is not made again by the same operation.

use super::index::{Index, Operation, OperationId};
use super::retry_discipline::{Lane, may_send_until};
use super::tally::Tally;
use super::wire::{Command, WireLog};
use super::words;

/// Errors that trying again does not mend.
const PERMANENT: [&str; 4] = ["WRONGTYPE", "NOPERM", "NOAUTH", "WRONGPASS"];

/// Commands that have no other argument than keys: sent again they are the same.
const ALWAYS_THE_SAME: [&str; 8] = ["DEL", "DUMP", "EXISTS", "GET", "HGETALL", "PTTL", "TTL", "UNLINK"];

pub(super) fn judge(index: &Index<'_>, lane: &Lane<'_>, wire: &WireLog, tally: &mut Tally) {
    // Mostly there is none.
    if !PERMANENT.iter().any(|word| wire.errors.contains(*word)) {
        return;
    }
    for (ids, commands) in lane.sessions() {
        // Until when those invoked before may send something.
        let mut until = Vec::with_capacity(ids.len());
        for id in ids {
            let before = until.last().copied().unwrap_or(0);
            until.push(may_send_until(index, index.operation(*id)).max(before));
        }
        for (place, refused) in commands.iter().enumerate() {
            let Some((word, at)) =
                refused.error.as_deref().filter(|word| PERMANENT.contains(word)).zip(refused.over)
            else {
                continue;
            };
            if let Some(id) = alone(index, ids, &until, refused) {
                let again = again(index.operation(id), at, refused, &commands[place + 1..], wire);
                answered(index, id, (word, refused), &again, tally);
            }
        }
    }
}

/// The operation that sent the command, if no other can have.
fn alone(index: &Index<'_>, ids: &[OperationId], until: &[u64], sent: &Command) -> Option<OperationId> {
    let begun = ids.partition_point(|id| index.operation(*id).invoke.entry < sent.entry);
    let place = begun.checked_sub(1)?;
    let operation = index.operation(ids[place]);
    let end = operation.end?;
    let earlier = place.checked_sub(1).is_some_and(|before| until[before] >= operation.invoke.t);
    let later = ids.get(begun).is_some_and(|next| index.operation(*next).invoke <= end);
    (!earlier && !later && sent.entry < end.entry).then_some(ids[place])
}

/// The same command sent again after the refusal came, until something else went well or the subject logged in anew.
fn again<'a>(
    operation: &Operation,
    at: u64,
    refused: &Command,
    later: &[&'a Command],
    wire: &WireLog,
) -> Vec<&'a Command> {
    let end = operation.end.map_or(u64::MAX, |end| end.t);
    let mended = |command: &&&Command| command.succeeded && command.over.is_some_and(|over| over >= at);
    let mended = later.iter().find(mended).and_then(|command| command.over).unwrap_or(u64::MAX);
    let logged_in = wire.commands.partition_point(|command| command.t < at);
    let logs_in = |command: &&Command| ["AUTH", "HELLO"].contains(&&*command.name);
    let until = wire.commands[logged_in..]
        .iter()
        .take_while(|command| command.t <= end)
        .find(logs_in)
        .map_or(end, |command| command.t)
        .min(mended);
    let sent = later.iter().take_while(|command| command.t < until).filter(|command| command.t > at);
    sent.filter(|command| command.name == refused.name).copied().collect()
}

fn answered(
    index: &Index<'_>,
    id: OperationId,
    (word, refused): (&str, &Command),
    again: &[&Command],
    tally: &mut Tally,
) {
    // Of others one more may be another call of the same name.
    let most = usize::from(!ALWAYS_THE_SAME.contains(&&*refused.name));
    let Some(last) = again.get(most) else { return tally.judged() };
    tally.broken(last.entry, || {
        let says = format!(
            "Redis answered {word} to the {} that {} sent at {}, and no retry mends that; yet it was sent again, {} times in all",
            refused.name,
            words::operation(index, id),
            words::seconds(refused.t),
            again.len() + 1,
        );
        let sent = again.iter().take(most + 1).map(|command| command.entry);
        (says, index.operation(id).entries().chain([refused.entry]).chain(sent).collect())
    });
}

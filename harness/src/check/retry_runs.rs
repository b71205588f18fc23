//! A part of I16: for one session the same command is sent no more often without a good answer than the operations on it may try.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::index::{Index, OperationId};
use super::retry_discipline::{Lane, may_send_until};
use super::tally::Tally;
use super::wire::Command;
use super::words;

/// No failure, and no reason to send the same again: the script is sent in full.
const UNKNOWN_SCRIPT: &str = "NOSCRIPT";

/// The operations of an instance on one session, in the order in which they were invoked.
struct Callers {
    begun: Vec<u64>,
    /// Until when one of those so far may send.
    until: Vec<u64>,
    /// Until when each may, in order.
    ordered: Vec<u64>,
    slack: u64,
}

pub(super) fn judge(index: &Index<'_>, lane: &Lane<'_>, attempts: u64, tally: &mut Tally) {
    // What several shards bring to Redis beside operations nobody tells.
    if index.rules().shards > 1 {
        return;
    }
    for (ids, commands) in lane.sessions() {
        session(index, ids, commands, attempts, tally);
    }
}

fn session(index: &Index<'_>, ids: &[OperationId], commands: &[&Command], attempts: u64, tally: &mut Tally) {
    let callers = Callers::new(index, ids);
    // When good answers come, and when the last of them came.
    let (mut good, mut since) = (BinaryHeap::new(), 0);
    let mut runs: BTreeMap<&str, VecDeque<&Command>> = BTreeMap::new();
    for command in commands {
        while let Some(Reverse(over)) = good.peek().copied().filter(|Reverse(over)| *over <= command.t) {
            since = since.max(over);
            good.pop();
        }
        if let Some(over) = command.over.filter(|_| command.succeeded) {
            good.push(Reverse(over));
        }
        let run = runs.entry(&*command.name).or_default();
        run.push_back(command);
        while run.front().is_some_and(|sent| sent.t <= since) {
            run.pop_front();
        }
        // What can be seen of these without asking who may have sent them: what went well, and as often as anyone may try.
        if command.succeeded && run.len() as u64 <= attempts {
            continue;
        }
        while run.front().is_some_and(|sent| sent.t <= since || !callers.may_send(sent.t)) {
            run.pop_front();
        }
        let Some(first) = run.front() else { continue };
        let count = callers.between(first.t, command.t);
        // One more than there were operations: what an instance does beside them is not known.
        let most = attempts.saturating_mul(count.saturating_add(1));
        if run.len() as u64 > most {
            let sent = std::mem::take(run);
            broken(index, ids, (&sent, command), (attempts, count), tally);
        } else if !command.succeeded && command.error.as_deref() != Some(UNKNOWN_SCRIPT) {
            tally.judged();
        }
    }
}

impl Callers {
    fn new(index: &Index<'_>, ids: &[OperationId]) -> Self {
        let begun = ids.iter().map(|id| index.operation(*id).invoke.t).collect();
        let mut ordered: Vec<u64> =
            ids.iter().map(|id| may_send_until(index, index.operation(*id))).collect();
        let until = ordered.iter().scan(0, |latest, until| {
            *latest = (*until).max(*latest);
            Some(*latest)
        });
        let until = until.collect();
        ordered.sort_unstable();
        Self { begun, until, ordered, slack: index.slack() }
    }

    /// Whether one may send something at `t`.
    fn may_send(&self, t: u64) -> bool {
        let begun = self.begun.partition_point(|begun| *begun <= t.saturating_add(self.slack));
        let last = begun.checked_sub(1).and_then(|last| self.until.get(last));
        last.is_some_and(|until| until.saturating_add(self.slack) >= t)
    }

    /// How many may send something from `from` to `to`.
    fn between(&self, from: u64, to: u64) -> u64 {
        let begun = self.begun.partition_point(|begun| *begun <= to.saturating_add(self.slack));
        let over = self.ordered.partition_point(|until| until.saturating_add(self.slack) < from);
        begun.saturating_sub(over) as u64
    }
}

fn broken(
    index: &Index<'_>,
    ids: &[OperationId],
    (run, last): (&VecDeque<&Command>, &Command),
    (attempts, count): (u64, u64),
    tally: &mut Tally,
) {
    let begun = ids.partition_point(|id| index.operation(*id).invoke.entry < last.entry);
    let Some(id) = begun.checked_sub(1).and_then(|place| ids.get(place)) else { return };
    tally.broken(last.entry, || {
        let operation = index.operation(*id);
        let others = match count {
            0 | 1 => String::new(),
            _ => format!(" and for {} more operations on it", count - 1),
        };
        let first = run.front().map_or(last.t, |first| first.t);
        let says = format!(
            "a call may be made {attempts} times in all; for {}{others} {} was sent {} times from {} to {}, without a good answer in between",
            words::operation(index, *id),
            last.name,
            run.len(),
            words::seconds(first),
            words::seconds(last.t),
        );
        let sent = run.iter().take(2).map(|command| command.entry);
        (says, operation.entries().chain(sent).chain([last.entry]).collect())
    });
}

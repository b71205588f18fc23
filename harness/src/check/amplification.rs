//! A part of I16: in no stretch of a run does an instance send many more commands for the load's sessions than its operations there
//! may need.

use super::index::Index;
use super::retry_discipline::{Lane, may_send_until};
use super::tally::Tally;
use super::wire::Command;
use super::words;

/// Commands that an operation without any retry may need on the average: to watch, read, write, set a TTL.
const NEEDED: u64 = 8;

/// How often an attempt may need more than one command, on the average: a script that Redis does not know is sent again in full.
const AN_ATTEMPT: u64 = 3;

/// What may be sent beyond that in a stretch: by tasks of the instance's own.
const BESIDE: u64 = 50;

/// A leaky bucket: each command goes in, and each operation that is over takes out what it may have needed. What those under way
/// may need is allowed besides.
pub(super) fn judge(index: &Index<'_>, lane: &Lane<'_>, attempts: u64, tally: &mut Tally) {
    // What such a subject brings to Redis it does not tell.
    if !index.tells_of_resyncs() {
        return;
    }
    let each = NEEDED.max(AN_ATTEMPT.saturating_mul(attempts));
    let begun: Vec<u64> = lane.operations.iter().map(|id| index.operation(*id).invoke.t).collect();
    let mut over: Vec<u64> =
        lane.operations.iter().map(|id| may_send_until(index, index.operation(*id))).collect();
    over.sort_unstable();
    let (mut level, mut started, mut ended) = (0_u64, 0_usize, 0);
    let mut first: Option<&Command> = None;
    for command in &lane.commands {
        while over.get(ended).is_some_and(|over| over.saturating_add(index.slack()) < command.t) {
            level = level.saturating_sub(each);
            ended += 1;
        }
        if level == 0 {
            first = Some(command);
        }
        level += 1;
        while begun.get(started).is_some_and(|begun| *begun <= command.t.saturating_add(index.slack())) {
            started += 1;
        }
        let under_way = started.saturating_sub(ended) as u64;
        let most = each.saturating_mul(under_way).saturating_add(BESIDE);
        if level > most {
            return too_many(index, lane, (first.unwrap_or(command), command), each, tally);
        }
    }
}

fn too_many(
    index: &Index<'_>,
    lane: &Lane<'_>,
    (first, last): (&Command, &Command),
    each: u64,
    tally: &mut Tally,
) {
    tally.broken(last.entry, || {
        let within = |t: u64| (first.t..=last.t).contains(&t);
        let sent = lane.commands.iter().filter(|command| within(command.t)).count();
        let operations = lane.operations.iter().map(|id| index.operation(*id)).filter(|operation| {
            operation.invoke.t <= last.t && may_send_until(index, operation) >= first.t
        });
        let says = format!(
            "{} sent {sent} commands for sessions of the load from {} to {}, and no resync was under way; the {} operations of that time \
             need {each} each at most",
            index.who(lane.instance),
            words::seconds(first.t),
            words::seconds(last.t),
            operations.count(),
        );
        (says, vec![first.entry, last.entry])
    });
}

//! A part of I16: a login that Redis refuses is not tried again by the same operation, nor by the instance on its own account more
//! often than opens its breaker, and then than that probes. A wrong password does not get right by being sent again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::index::{Index, nanos};
use super::lives::Who;
use super::retry_discipline::{Lane, may_send_until};
use super::tally::Tally;
use super::wire::{Command, WireLog};
use super::words;

/// Errors that say that a login is wrong.
const REFUSALS: [&str; 3] = ["WRONGPASS", "NOAUTH", "NOPERM"];

/// The refused logins since the last one that went well.
#[derive(Default)]
struct Run<'a> {
    first: Option<&'a Command>,
    count: u64,
    /// How many of them no operation can have sent.
    beside: u64,
    last: Option<&'a Command>,
}

pub(super) fn judge(index: &Index<'_>, lane: &Lane<'_>, wire: &WireLog, tally: &mut Tally) {
    // Mostly there is none.
    if !REFUSALS.iter().any(|word| wire.errors.contains(*word)) {
        return;
    }
    let is_login = |command: &&Command| ["AUTH", "HELLO"].contains(&&*command.name);
    let logins = wire.commands.iter().filter(is_login).filter(|login| login.t < index.load_over());
    let mut begun = lane.operations.iter().map(|id| index.operation(*id)).peekable();
    // Until when each operation may send that has not logged in yet.
    let mut may_log_in = BinaryHeap::new();
    let mut run = Run::default();
    for login in logins {
        if login.succeeded {
            run = Run::default();
            continue;
        }
        if !login.error.as_deref().is_some_and(|word| REFUSALS.contains(&word)) {
            continue;
        }
        let (from, to) = (login.t.saturating_sub(index.slack()), login.t.saturating_add(index.slack()));
        while let Some(operation) = begun.next_if(|operation| operation.invoke.t <= to) {
            may_log_in.push(Reverse(may_send_until(index, operation)));
        }
        while may_log_in.peek().is_some_and(|Reverse(until)| *until < from) {
            may_log_in.pop();
        }
        run.count += 1;
        run.first.get_or_insert(login);
        run.last = Some(login);
        // Of those that may have sent it the one that may do so no longer than the others.
        if may_log_in.pop().is_none() {
            run.beside += 1;
        }
        if run.beside > beside(index, &run) {
            return too_many(index.who(lane.instance), &run, tally);
        }
        tally.judged();
    }
}

/// How many logins an instance may try by itself in that time, say for a resync: those that open its breaker, and then its probes.
fn beside(index: &Index<'_>, run: &Run<'_>) -> u64 {
    let rule = &index.rules().breaker;
    let shortest = nanos(rule.cool_down.mul_f64((1.0 - rule.jitter).clamp(0.0, 1.0))).max(1);
    let passed = run.last.zip(run.first).map_or(0, |(last, first)| last.t - first.t);
    let probes = (passed / shortest).saturating_mul(u64::from(rule.probes).max(1));
    probes.saturating_add(u64::from(rule.failures).max(1))
}

fn too_many(who: Who, run: &Run<'_>, tally: &mut Tally) {
    let Some((first, last)) = run.first.zip(run.last) else { return };
    tally.broken(last.entry, || {
        let says = format!(
            "Redis answered {} to the {} that {who} sent at {}, and no retry mends that; yet until {} it logged in {} times, {} of \
             them on no operation's account",
            first.error.as_deref().unwrap_or_default(),
            first.name,
            words::seconds(first.t),
            words::seconds(last.t),
            run.count,
            run.beside,
        );
        (says, vec![first.entry, last.entry])
    });
}

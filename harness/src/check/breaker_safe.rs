//! I13: the breaker does nothing that it must not do: only legal changes, it opens only when something is wrong, stays open for
//! its cool-down, and lets no work through meanwhile.

use super::index::{Ending, Index, Operation, nanos};
use super::tally::{Tally, Words};
use super::wire::{Command, SLOW, WireLog};
use super::{Check, Finding, words};
use crate::history::{BreakerRule, BreakerState, Capability, Event, ServedBy};

/// A probe that has not been answered for so long has been given up: its place is free again.
const PROBE_GIVEN_UP: u64 = 1_000_000_000;

/// I13.
pub(super) struct BreakerSafe;

/// A change of an instance's breaker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) t: u64,
    pub(super) entry: usize,
    pub(super) from: BreakerState,
    pub(super) to: BreakerState,
}

impl Check for BreakerSafe {
    fn name(&self) -> &'static str {
        "I13"
    }

    fn title(&self) -> &'static str {
        "breaker, safe"
    }

    fn needs(&self) -> &'static [Capability] {
        &[Capability::Breaker]
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for (instance, wire) in (0..).zip(index.wire()) {
            let changes = changes(index, instance);
            legal(instance, &changes, &mut tally);
            for (place, change) in changes.iter().enumerate() {
                let (before, after) = (&changes[..place], changes.get(place + 1));
                match change.to {
                    BreakerState::Open => {
                        if change.from == BreakerState::Closed {
                            opens_for_a_reason(index, instance, wire, before, change, &mut tally);
                        }
                        stays_open(index, instance, change, after, &mut tally);
                        silent(index, instance, wire, change, after, &mut tally);
                    }
                    BreakerState::HalfOpen => probes(index, instance, wire, change, after, &mut tally),
                    BreakerState::Closed => {}
                }
            }
        }
        let seen = if index.wire().iter().any(|wire| wire.seen) {
            ""
        } else {
            "; there is no wire log to compare with"
        };
        let held = format!("{} changes and open stretches were in order{seen}", tally.count());
        let unseen = "no breaker ever changed; an outage longer than the subject's timeouts, under load, would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

/// The changes of an instance's breaker, in order.
pub(super) fn changes(index: &Index<'_>, instance: u16) -> Vec<Change> {
    let lines = index.history.entries.iter().enumerate();
    let of_it = lines.filter_map(|(entry, line)| match line.e {
        Event::Breaker { instance: number, from, to } if number == instance => {
            Some(Change { t: line.t, entry, from, to })
        }
        _ => None,
    });
    of_it.collect()
}

fn legal(instance: u16, changes: &[Change], tally: &mut Tally) {
    let (mut state, mut last) = (BreakerState::Closed, None);
    for change in changes {
        let allowed = match (change.from, change.to) {
            (BreakerState::Closed, BreakerState::Open)
            | (BreakerState::Open, BreakerState::HalfOpen)
            | (BreakerState::HalfOpen, BreakerState::Closed | BreakerState::Open) => true,
            (BreakerState::Closed, BreakerState::Closed | BreakerState::HalfOpen)
            | (BreakerState::Open, BreakerState::Open | BreakerState::Closed)
            | (BreakerState::HalfOpen, BreakerState::HalfOpen) => false,
        };
        if allowed && change.from == state {
            tally.judged();
        } else {
            tally.broken(change.entry, || {
                let says = format!(
                    "the breaker of instance-{instance} was {}, and at {} it said that it went from {} to {}",
                    named(state),
                    words::seconds(change.t),
                    named(change.from),
                    named(change.to),
                );
                (says, last.into_iter().chain([change.entry]).collect())
            });
        }
        (state, last) = (change.to, Some(change.entry));
    }
}

/// It opened: was there anything that may have looked like enough failures?
fn opens_for_a_reason(
    index: &Index<'_>,
    instance: u16,
    wire: &WireLog<'_>,
    before: &[Change],
    change: &Change,
    tally: &mut Tally,
) {
    let rule = &index.rules().breaker;
    let closed_since = before.last().map_or(0, |closed| closed.t);
    let window = change.t.saturating_sub(nanos(rule.window));
    let succeeded = last_success(index, instance, change.t).unwrap_or(0);
    // Failures before the last success count only within the window; those of before it was last closed never do.
    let since = window.min(succeeded).max(closed_since).saturating_sub(index.slack());
    let mut operations = index.operations.iter().rev().skip_while(|operation| operation.invoke.t > change.t);
    let trouble = operations.any(|operation| {
        let end = operation.end.map_or(u64::MAX, |end| end.t);
        operation.instance == instance && since <= end && troubled(operation)
    });
    let commands = wire.commands.iter().filter(|command| {
        command.t <= change.t && command.over.is_none_or(|over| since <= over) && command.troubled(change.t)
    });
    let connections = wire.broken_connections.iter().filter(|t| (since..=change.t).contains(*t));
    let on_the_wire = commands.count() + connections.count();
    let reason =
        index.faults.may_strike(instance, since, change.t) || trouble || on_the_wire >= fewest_failures(rule);
    if reason {
        return tally.judged();
    }
    tally.broken(change.entry, || {
        let says = format!(
            "the breaker of instance-{instance} opened at {}, though since {} no fault struck it, every operation was answered by \
             Redis in time, and the wire shows {on_the_wire} signs of trouble (it opens after {} failures in a row)",
            words::seconds(change.t),
            words::seconds(since),
            rule.failures,
        );
        (says, vec![change.entry])
    });
}

/// When an operation that Redis served well ended, the last of those invoked before `t`.
fn last_success(index: &Index<'_>, instance: u16, t: u64) -> Option<u64> {
    let count = index.operations.partition_point(|operation| operation.invoke.t < t);
    let of_it = index.operations[..count].iter().rev().filter(|operation| operation.instance == instance);
    let succeeded =
        of_it.filter(|operation| operation.served_by() == Some(ServedBy::Redis) && !troubled(operation));
    succeeded.filter_map(|operation| operation.end.map(|end| end.t)).find(|end| *end < t)
}

/// Whether anything about an operation may come of a failure of Redis, as lenient as can be.
fn troubled(operation: &Operation) -> bool {
    let slow = operation.end.is_none_or(|end| end.t - operation.invoke.t >= SLOW);
    slow || match operation.ending {
        Ending::Acknowledged { by, .. } => by == ServedBy::Local,
        Ending::NoSession => false,
        Ending::Failed | Ending::Unknown | Ending::Missing => true,
    }
}

/// The fewest failures that may open it.
fn fewest_failures(rule: &BreakerRule) -> usize {
    let by_rate = (rule.failure_rate * f64::from(rule.min_calls)).ceil().max(1.0);
    // A share of a count of calls fits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 1, and a share of a u32"
    )]
    let by_rate = by_rate as usize;
    by_rate.min(usize::try_from(rule.failures).unwrap_or(usize::MAX)).max(1)
}

fn stays_open(index: &Index<'_>, instance: u16, opened: &Change, next: Option<&Change>, tally: &mut Tally) {
    let Some(next) = next else { return };
    let rule = &index.rules().breaker;
    let shortest = share_of(nanos(rule.cool_down), 1.0 - rule.jitter);
    let stayed = next.t - opened.t;
    if stayed.saturating_add(index.slack()) >= shortest {
        return tally.judged();
    }
    tally.broken(next.entry, || {
        let says = format!(
            "the breaker of instance-{instance} stayed open for {} from {}; its cool-down is {} at least",
            words::seconds(stayed),
            words::seconds(opened.t),
            words::seconds(shortest),
        );
        (says, vec![opened.entry, next.entry])
    });
}

/// This share, from 0 to 1, of so many nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a cast from f64 saturates, and microseconds do not matter"
)]
fn share_of(nanos: u64, share: f64) -> u64 {
    (nanos as f64 * share.clamp(0.0, 1.0)) as u64
}

/// No work leaves the instance while the breaker is open.
fn silent(
    index: &Index<'_>,
    instance: u16,
    wire: &WireLog<'_>,
    opened: &Change,
    next: Option<&Change>,
    tally: &mut Tally,
) {
    if !wire.seen {
        return;
    }
    let (from, to) = stretch(index, opened, next);
    let work = between(&wire.commands, opened.t.saturating_add(index.slack()).max(from), to)
        .iter()
        .find(|command| command.is_data());
    match work {
        None => tally.judged(),
        Some(work) => tally.broken(work.entry, || {
            let says = format!(
                "the breaker of instance-{instance} was open since {}, yet it sent {} at {}",
                words::seconds(opened.t),
                work.name,
                words::seconds(work.t),
            );
            (says, [opened.entry, work.entry].into_iter().chain(next.map(|next| next.entry)).collect())
        }),
    }
}

/// No more than its number of probes at once while it is half-open.
fn probes(
    index: &Index<'_>,
    instance: u16,
    wire: &WireLog<'_>,
    half_open: &Change,
    next: Option<&Change>,
    tally: &mut Tally,
) {
    if !wire.seen {
        return;
    }
    let (from, to) = stretch(index, half_open, next);
    let sent: Vec<&Command<'_>> =
        between(&wire.commands, from, to).iter().filter(|command| !command.sets_up()).collect();
    let allowed = usize::try_from(index.rules().breaker.probes).unwrap_or(usize::MAX);
    for (place, last) in sent.iter().enumerate() {
        let waiting = |command: &&Command<'_>| {
            command.over.is_none_or(|over| over > last.t) && last.t - command.t < PROBE_GIVEN_UP
        };
        // No more than a few can wait at once, or the check has failed long before.
        let waiting: Vec<usize> =
            sent[..=place].iter().copied().filter(waiting).map(|command| command.entry).collect();
        if waiting.len() > allowed {
            return tally.broken(last.entry, || {
                let says = format!(
                    "the breaker of instance-{instance} was half-open since {}, yet at {} {} commands were under way; {allowed} are \
                     allowed",
                    words::seconds(half_open.t),
                    words::seconds(last.t),
                    waiting.len(),
                );
                (says, std::iter::once(half_open.entry).chain(waiting).collect())
            });
        }
    }
    if !sent.is_empty() {
        tally.judged();
    }
}

/// The stretch until the next change. Near its end commands may belong to the next state already.
fn stretch(index: &Index<'_>, change: &Change, next: Option<&Change>) -> (u64, u64) {
    (change.t, next.map_or(u64::MAX, |next| next.t.saturating_sub(index.slack())))
}

/// The commands sent after `from` and before `to`.
fn between<'a, 'h>(commands: &'a [Command<'h>], from: u64, to: u64) -> &'a [Command<'h>] {
    let first = commands.partition_point(|command| command.t <= from);
    let after_last = commands.partition_point(|command| command.t < to);
    commands.get(first..after_last).unwrap_or(&[])
}

pub(super) fn named(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half-open",
    }
}

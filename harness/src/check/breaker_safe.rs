//! I13: the breaker does nothing that it must not do: only legal changes, it opens only when something is wrong, stays open for
//! its cool-down, and lets no work through meanwhile.

use super::index::{Index, nanos};
use super::tally::{Tally, Words};
use super::trouble::Trouble;
use super::wire::{Command, WireLog};
use super::{Check, Finding, words};
use crate::history::{BreakerRule, BreakerState, Capability};

/// A probe that has not been answered for so long has been given up: its place is free again.
const PROBE_GIVEN_UP: u64 = 1_000_000_000;

/// I13.
pub(super) struct BreakerSafe;

/// A change of an instance's breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) t: u64,
    pub(crate) entry: usize,
    pub(crate) from: BreakerState,
    pub(crate) to: BreakerState,
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

    fn follows_what_is_told(&self) -> bool {
        true
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for (instance, wire) in (0..).zip(index.wire()) {
            let changes = before_its_end(index, instance);
            let trouble = Trouble::new(index, instance, wire);
            legal(index, instance, changes, &mut tally);
            for (place, change) in changes.iter().enumerate() {
                let (before, after) = (&changes[..place], changes.get(place + 1));
                match change.to {
                    BreakerState::Open => {
                        if change.from == BreakerState::Closed {
                            opens_for_a_reason(index, instance, &trouble, before, change, &mut tally);
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

fn legal(index: &Index<'_>, instance: u16, changes: &[Change], tally: &mut Tally) {
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
                let who = index.who(instance);
                let says = format!(
                    "the breaker of {who} was {}, and at {} it said that it went from {} to {}",
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
    trouble: &Trouble<'_>,
    before: &[Change],
    change: &Change,
    tally: &mut Tally,
) {
    let rule = &index.rules().breaker;
    let closed_since = before.last().map_or(0, |closed| closed.t);
    let window = change.t.saturating_sub(nanos(rule.window));
    let succeeded = trouble.last_success(change.t).unwrap_or(0);
    // Failures before the last success count only within the window; those of before it was last closed never do.
    let since = window.min(succeeded).max(closed_since).saturating_sub(index.slack());
    let on_the_wire = trouble.on_the_wire(since, change.t);
    let reason = index.faults.may_strike(instance, since, change.t)
        || trouble.of_operations(since, change.t)
        || on_the_wire >= fewest_failures(rule);
    if reason {
        return tally.judged();
    }
    tally.broken(change.entry, || {
        let who = index.who(instance);
        let says = format!(
            "the breaker of {who} opened at {}, though since {} no fault struck it, every operation was answered by \
             Redis in time, and the wire shows {on_the_wire} signs of trouble (it opens after {} failures in a row)",
            words::seconds(change.t),
            words::seconds(since),
            rule.failures,
        );
        (says, vec![change.entry])
    });
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
        let who = index.who(instance);
        let says = format!(
            "the breaker of {who} stayed open for {} from {}; its cool-down is {} at least",
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
    wire: &WireLog,
    opened: &Change,
    next: Option<&Change>,
    tally: &mut Tally,
) {
    if !wire.seen {
        return;
    }
    let (from, to) = stretch(index, instance, opened, next);
    let work = between(&wire.commands, opened.t.saturating_add(index.slack()).max(from), to)
        .iter()
        .find(|command| command.is_data());
    match work {
        None => tally.judged(),
        Some(work) => tally.broken(work.entry, || {
            let who = index.who(instance);
            let says = format!(
                "the breaker of {who} was open since {}, yet it sent {} at {}",
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
    wire: &WireLog,
    half_open: &Change,
    next: Option<&Change>,
    tally: &mut Tally,
) {
    if !wire.seen {
        return;
    }
    let (from, to) = stretch(index, instance, half_open, next);
    let sent = between(&wire.commands, from, to).iter().filter(|command| !command.sets_up());
    let allowed = usize::try_from(index.rules().breaker.probes).unwrap_or(usize::MAX);
    let mut any = false;
    // No more than a few can wait at once, or the check has failed before; and what waits no more never waits again.
    let mut waiting: Vec<&Command> = Vec::new();
    for last in sent {
        any = true;
        waiting.push(last);
        waiting.retain(|command| {
            command.over.is_none_or(|over| over > last.t) && last.t - command.t < PROBE_GIVEN_UP
        });
        if waiting.len() > allowed {
            return tally.broken(last.entry, || {
                let who = index.who(instance);
                let says = format!(
                    "the breaker of {who} was half-open since {}, yet at {} {} commands were under way; {allowed} are \
                     allowed",
                    words::seconds(half_open.t),
                    words::seconds(last.t),
                    waiting.len(),
                );
                let entries = waiting.iter().map(|command| command.entry);
                (says, std::iter::once(half_open.entry).chain(entries).collect())
            });
        }
    }
    if any {
        tally.judged();
    }
}

/// The changes until it was told to end. What an instance does from then on is its last chance to bring what it has to Redis, and no
/// cool-down is worth more than that.
fn before_its_end<'i>(index: &'i Index<'_>, instance: u16) -> &'i [Change] {
    let (changes, until) = (index.changes(instance), judged_until(index, instance));
    &changes[..changes.partition_point(|change| change.t < until)]
}

/// Once all has been looked at instances are told to end, and may bring what waits whatever the breaker says.
fn judged_until(index: &Index<'_>, instance: u16) -> u64 {
    let last_look = index.looks.last().map_or(u64::MAX, |look| look.to.t);
    index.over_of(instance).saturating_add(1).min(last_look)
}

/// The stretch until the next change, or the end. Near its end commands may belong to the next state already.
fn stretch(index: &Index<'_>, instance: u16, change: &Change, next: Option<&Change>) -> (u64, u64) {
    let end = judged_until(index, instance);
    (change.t, next.map_or(end, |next| next.t.saturating_sub(index.slack())))
}

/// The commands sent after `from` and before `to`.
fn between(commands: &[Command], from: u64, to: u64) -> &[Command] {
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

//! I12: a resync that finished leaves nothing, so the next has only to bring what changed since; one that was interrupted leaves
//! what it says.

use super::breaker_safe::changes;
use super::index::{Index, nanos};
use super::resyncs::{self, Bringing, End, Work};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::history::{Capability, Event, ReplyKind, Wire};

/// Errors after which a session is still to be brought, and those that scripts begin with. After others a session may be left for
/// later by a resync that finished.
const TO_BE_TRIED_AGAIN: [&str; 10] = [
    "NOSCRIPT",
    "LOADING",
    "BUSY",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MISCONF",
    "NOREPLICAS",
    "OOM",
];

/// I12.
pub(super) struct ResyncIdempotent;

/// What may have made an instance doubt what Redis has.
#[derive(Default)]
struct Doubts {
    /// When connections were opened, and when they ended.
    opened: Vec<u64>,
    closed: Vec<u64>,
    /// When Redis first refused something for good.
    refused: Option<u64>,
    breaker: Vec<u64>,
}

impl Check for ResyncIdempotent {
    fn name(&self) -> &'static str {
        "I12"
    }

    fn title(&self) -> &'static str {
        "resync is idempotent"
    }

    fn needs(&self) -> &'static [Capability] {
        &[Capability::Resync]
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for (instance, resyncs) in (0..).zip(resyncs::all(index)) {
            let wire = index.wire().get(usize::from(instance));
            if resyncs.is_empty() || !wire.is_some_and(|wire| wire.seen && !wire.garbled) {
                continue;
            }
            let (work, doubts) = (Work::of(index, instance), Doubts::of(index, instance));
            for (place, resync) in resyncs.iter().enumerate() {
                let one = One { index, instance, work: &work, doubts: &doubts, resync };
                match resync.end {
                    Some((at, End::Finished(brought))) => {
                        one.brought(at.t, at.entry, brought, &mut tally);
                        if let Some(next) = resyncs.get(place + 1) {
                            one.again(at.entry, next, &mut tally);
                        }
                    }
                    Some((at, End::Interrupted(left))) => {
                        if let Some(next) = resyncs.get(place + 1) {
                            one.goes_on((at.t, at.entry), left, next, &mut tally);
                        }
                    }
                    None => {}
                }
            }
        }
        let held = format!("{} resyncs had no more to bring than they should", tally.count());
        let unseen = "no resync ended of which it is sure what it had to bring; an outage of the network, with writes accepted locally and a calm \
                      phase after it, would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

/// A resync, and what surrounds it.
struct One<'a, 'h> {
    index: &'a Index<'h>,
    instance: u16,
    work: &'a Work<'a>,
    doubts: &'a Doubts,
    resync: &'a Bringing,
}

impl One<'_, '_> {
    /// It finished: it brought what it had to, and what changed meanwhile, once each.
    fn brought(&self, to: u64, entry: usize, brought: u64, tally: &mut Tally) {
        let from = self.resync.from.t;
        if !self.undoubted(from, to) {
            return;
        }
        let meanwhile = self.work.between(from, to).count() as u64;
        let most = self.resync.sessions.saturating_add(meanwhile);
        if brought <= most {
            return tally.judged();
        }
        tally.broken(entry, || {
            let says = format!(
                "the resync of instance-{} had {} sessions to bring at {}, and {meanwhile} operations were under way until it finished at {}; yet \
                 it brought {brought}",
                self.instance,
                self.resync.sessions,
                words::seconds(from),
                words::seconds(to),
            );
            (says, vec![self.resync.from.entry, entry])
        });
    }

    /// After one that finished another began: it has only to bring what changed since.
    fn again(&self, finished: usize, next: &Bringing, tally: &mut Tally) {
        let (from, to) = (self.resync.from.t, next.from.t);
        if self.undoubted(from, to) {
            let changed = self.work.left_to_bring(from, to, std::slice::from_ref(self.resync));
            let says = format!("a resync of instance-{} had finished, so nothing was left", self.instance);
            self.no_more_than(says, finished, (0, changed.len() as u64), next, tally);
        }
    }

    /// After one that was interrupted another began: it has to bring what was left, and what changed since.
    fn goes_on(&self, (at, entry): (u64, usize), left: u64, next: &Bringing, tally: &mut Tally) {
        let (from, to) = (self.resync.from.t, next.from.t);
        let same = |times: &[u64]| !any(times, at, to);
        if self.spared(from, to) && same(&self.doubts.opened) && same(&self.doubts.closed) {
            let changed = self.work.left_to_bring(from, to, std::slice::from_ref(self.resync));
            let says =
                format!("a resync of instance-{} was interrupted with {left} sessions left", self.instance);
            self.no_more_than(says, entry, (left, changed.len() as u64), next, tally);
        }
    }

    fn no_more_than(
        &self,
        says: String,
        entry: usize,
        (left, changed): (u64, u64),
        next: &Bringing,
        tally: &mut Tally,
    ) {
        if next.sessions <= left.saturating_add(changed) {
            return tally.judged();
        }
        tally.broken(next.from.entry, || {
            let says = format!(
                "{says}, and until {} it had written {changed} that Redis may lack; yet it began again with {} sessions to bring",
                words::seconds(next.from.t),
                next.sessions,
            );
            (says, vec![self.resync.from.entry, entry, next.from.entry])
        });
    }

    /// Whether nothing can have made the instance doubt from `from` to `to` that Redis has what it was brought.
    fn undoubted(&self, from: u64, to: u64) -> bool {
        let struck = self.index.faults.may_strike(self.instance, from, to);
        let quiet = |times: &[u64]| !any(times, from, to);
        self.spared(from, to) && !struck && quiet(&self.doubts.closed) && quiet(&self.doubts.breaker)
    }

    /// Whether Redis surely keeps from `from` to `to` what it has, as far as instances can know, and takes what it is brought.
    fn spared(&self, from: u64, to: u64) -> bool {
        let faults = &self.index.faults;
        // How many keys a Redis has evicted before the first fault nobody knows.
        let about_a_fault = faults.start().is_some_and(|start| start <= from);
        let notice = nanos(self.index.rules().resync_within);
        let spares = faults.all.iter().filter(|fault| fault.asked <= to).all(|fault| {
            let over = fault.over().saturating_add(notice) < from;
            !fault.effect.loses_data && (fault.effect.spares_redis || over)
        });
        about_a_fault && spares && self.doubts.refused.is_none_or(|refused| refused > to)
    }
}

impl Doubts {
    fn of(index: &Index<'_>, instance: u16) -> Self {
        let mut doubts = Self::default();
        for line in &index.history.entries {
            let Event::Wire { instance: number, what, .. } = &line.e else { continue };
            if *number != instance {
                continue;
            }
            match what {
                Wire::Opened => doubts.opened.push(line.t),
                Wire::Closed { .. } => doubts.closed.push(line.t),
                Wire::Reply { kind: ReplyKind::Error(word) } => {
                    if !TO_BE_TRIED_AGAIN.contains(&word.as_str()) {
                        doubts.refused.get_or_insert(line.t);
                    }
                }
                Wire::Reply { kind: ReplyKind::Value | ReplyKind::Null | ReplyKind::Push }
                | Wire::Command { .. }
                | Wire::Struck { .. }
                | Wire::Garbled { .. } => {}
            }
        }
        doubts.breaker = changes(index, instance).iter().map(|change| change.t).collect();
        doubts
    }
}

/// Whether one of these times, which are in order, lies from `from` to `to`.
fn any(times: &[u64], from: u64, to: u64) -> bool {
    times.get(times.partition_point(|t| *t < from)).is_some_and(|t| *t <= to)
}

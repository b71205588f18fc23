//! I12: a resync that finished leaves nothing, so the next has only to bring what changed since; one that was interrupted leaves
//! what it says.

use std::collections::BTreeSet;

use super::doubts::Doubts;
use super::index::Index;
use super::resyncs::{self, Bringing, End, Work};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::history::{Capability, SessionId};

/// I12.
pub(super) struct ResyncIdempotent;

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

    fn follows_what_is_told(&self) -> bool {
        true
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
        if !self.doubts.none(self.index, from, to) {
            return;
        }
        let meanwhile = self.work.between(from, to).count() as u64;
        let most = self.resync.sessions.saturating_add(meanwhile);
        if brought <= most {
            return tally.judged();
        }
        tally.broken(entry, || {
            let says = format!(
                "the resync of {} had {} sessions to bring at {}, and {meanwhile} operations were under way until it finished at {}; yet \
                 it brought {brought}",
                self.index.who(self.instance),
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
        if self.doubts.none(self.index, from, to) {
            let changed = self.changed(from, to);
            let says =
                format!("a resync of {} had finished, so nothing was left", self.index.who(self.instance));
            self.no_more_than(says, finished, (0, changed), next, tally);
        }
    }

    /// After one that was interrupted another began: it has to bring what was left, and what changed since.
    fn goes_on(&self, (at, entry): (u64, usize), left: u64, next: &Bringing, tally: &mut Tally) {
        let (from, to) = (self.resync.from.t, next.from.t);
        if self.doubts.same_redis(self.index, from, to) && self.doubts.same_connections(at, to) {
            let changed = self.changed(from, to);
            let says = format!(
                "a resync of {} was interrupted with {left} sessions left",
                self.index.who(self.instance)
            );
            self.no_more_than(says, entry, (left, changed), next, tally);
        }
    }

    /// Of how many sessions Redis may lack something at `to`, for what the instance did since `from`, or asked: it may have been
    /// shown that what it had brought of a session went with the end of an earlier one.
    fn changed(&self, from: u64, to: u64) -> u64 {
        let overtaken = |id: &SessionId| {
            let log = self.index.sessions.get(id);
            log.is_some_and(|log| log.has_overtaken_of(self.index, self.instance))
        };
        let asked: BTreeSet<SessionId> = self.work.between(from, to).map(|one| one.session).collect();
        let shown = asked.into_iter().filter(overtaken).count() as u64;
        self.work.left_to_bring(from, to, self.resync).saturating_add(shown)
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
}

//! I10: when all has settled, Redis and all instances agree, and every instance answers.

use std::time::Duration;

use super::index::Index;
use super::reads::{Read, Seen};
use super::recovery;
use super::session::SessionLog;
use super::tally::{Tally, Words, not_judged};
use super::{Check, Finding, Verdict, words};
use crate::units::format_duration;

/// I10.
pub(super) struct Convergence;

impl Check for Convergence {
    fn name(&self) -> &'static str {
        "I10"
    }

    fn title(&self) -> &'static str {
        "convergence"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        if !index.brings_local_writes() {
            let says =
                "the subject accepts writes locally and has no resync (capability `resync`)".to_owned();
            return not_judged(self.name(), self.title(), Verdict::Skipped, says);
        }
        let mut tally = Tally::default();
        for log in index.sessions.values() {
            let looks: Vec<Read> = log.final_reads(index).collect();
            if looks.len() >= 2 && settled(index, log, &looks) {
                agree(index, log, &looks, &mut tally);
            }
        }
        recovery::judge(index, &mut tally);
        let held = format!("all readers agree on each of {} sessions", tally.count());
        let within = format_duration(Duration::from_millis(index.resync_within() / 1_000_000));
        let unseen = format!(
            "no session had settled before it was read by two readers at the end; a calm phase longer than R (`resync_within`, here {within}), \
             and no operations of unknown outcome, would make it known"
        );
        tally.finding(self, index, Words { held, unseen })
    }
}

/// Whether everything that was acknowledged must be everywhere by the first look.
pub(super) fn settled(index: &Index<'_>, log: &SessionLog, looks: &[Read]) -> bool {
    let Some(first) = looks.iter().map(|look| look.from).min() else { return false };
    let known = log.story.kept_until.is_none_or(|end| first.t > index.settled_after(end));
    known && recovery::after_faults(index, first.t)
}

fn agree(index: &Index<'_>, log: &SessionLog, looks: &[Read], tally: &mut Tally) {
    let mut values = looks.iter().filter(|look| matches!(look.seen, Seen::Value(_)));
    let first = values.next();
    let other = first.and_then(|first| {
        values.find(|look| look.value() != first.value() && !may_change(index, first, look))
    });
    let there = looks.iter().find(|look| look.seen != Seen::Absent);
    let absent = looks.iter().find(|look| look.seen == Seen::Absent);
    let differ = match (first.zip(other), there.zip(absent)) {
        (Some(values), _) => Some(values),
        (None, Some(both)) if !may_end_meanwhile(index, log, looks) => Some(both),
        (None, _) => None,
    };
    match differ {
        // Nobody ever made it, and nobody has it: that shows nothing.
        None if there.is_none() && !log.was_begun() => {}
        None => tally.judged(),
        Some((one, other)) => tally.broken(other.to.entry.max(one.to.entry), || {
            let says = format!(
                "after the run {} {} for {}, and {} for {}",
                log.id,
                what(index, one),
                words::reader(index, one),
                what(index, other),
                words::reader(index, other),
            );
            let writers = [one, other].into_iter().filter_map(|look| index.writer_of(look));
            let written = writers.map(|writer| index.operation(writer).invoke.entry);
            (says, written.chain([one.to.entry, other.to.entry]).collect())
        }),
    }
}

/// Whether the value may have changed between two looks: one of them is of a write that may take effect at any time.
pub(super) fn may_change(index: &Index<'_>, one: &Read, other: &Read) -> bool {
    let loose = |look| index.writer_of(look).is_some_and(|writer| index.operation(writer).may_happen());
    loose(one) || loose(other)
}

/// Whether the session may have been ended, or begun, while the readers looked: it may have expired, or an operation of unknown
/// outcome may have taken effect.
fn may_end_meanwhile(index: &Index<'_>, log: &SessionLog, looks: &[Read]) -> bool {
    if log.story.is_loose {
        return true;
    }
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else { return false };
    let range = log.expiry(index, last);
    let (Some((earliest, _)), Some((latest, _))) = (range.earliest, range.latest) else { return false };
    let slack = index.slack();
    earliest <= last.to.t.saturating_add(slack) && latest.saturating_add(slack) >= first.from.t
}

fn what(index: &Index<'_>, look: &Read) -> String {
    match look.seen {
        Seen::Value(_) => match index.writer_of(look) {
            Some(writer) => format!("has the value of {}", words::name(index, index.operation(writer))),
            None => "has a value that nobody wrote".to_owned(),
        },
        Seen::There(_) | Seen::Alive => "is there".to_owned(),
        Seen::Absent => "is not there".to_owned(),
    }
}

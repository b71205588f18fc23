//! I9: what is left of a TTL is what should be left: after an update, and after a resync. It is never set to its full length
//! again, and never without an end.

use super::index::{Index, OperationId, nanos};
use super::reads::{Read, Seen};
use super::session::SessionLog;
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::history::{Event, Reader, Resync};

/// I9.
pub(super) struct TtlSurvives;

impl Check for TtlSurvives {
    fn name(&self) -> &'static str {
        "I9"
    }

    fn title(&self) -> &'static str {
        "TTL survives update and resync"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let resynced = first_resync(index);
        let mut tally = Tally::default();
        for log in index.sessions.values() {
            let stirred = log.story.stirred.unwrap_or(usize::MAX);
            for read in log.reads(index) {
                let Seen::There(left) = read.seen else { continue };
                match wrong(index, log, &read, left) {
                    Some((says, setter)) => tally.broken(read.to.entry, || {
                        let entries = index.operation(setter).entries();
                        (says, entries.chain(read.entries()).collect())
                    }),
                    None if stirred.min(resynced) < read.from.entry => tally.judged(),
                    None => {}
                }
            }
        }
        let held = format!(
            "{} looks at what is left of a TTL, after an update or a resync, were right",
            tally.count()
        );
        let unseen = "what is left of no TTL was looked at after an update or a resync of its session; a load with `update`, and final \
                      reads of sessions that live on, would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

/// The entry after which a resync has ended.
fn first_resync(index: &Index<'_>) -> usize {
    let finished =
        |event: &Event| matches!(event, Event::Resync { what: Resync::Finished { sessions: 1.. }, .. });
    let mut told = index.told().filter(|(_, line)| finished(&line.e));
    told.next().map_or(usize::MAX, |(entry, _)| entry)
}

/// What is wrong with what is `left`, if something is, and the operation that set the expiry.
fn wrong(
    index: &Index<'_>,
    log: &SessionLog,
    read: &Read,
    left: Option<u64>,
) -> Option<(String, OperationId)> {
    let range = log.expiry(index, read);
    let ((earliest, first), (latest, last)) = (range.earliest?, range.latest?);
    let who = match read.reader {
        Reader::Redis => words::reader(index, read),
        Reader::Instance(_) | Reader::Fresh => format!("an answer to {}", words::reader(index, read)),
    };
    let Some(left_ms) = left else {
        let set_by = words::operation(index, last);
        return Some((format!("{} was to expire ({set_by}), yet it has no TTL for {who}", log.id), last));
    };
    let left = left_ms.saturating_mul(1_000_000);
    let slack = nanos(index.rules().ttl_slack);
    // The look lies somewhere between these.
    let from = read.from.t.saturating_add(left);
    let to = read.to.t.saturating_add(left).saturating_add(1_000_000);
    let (setter, due, off) = if from > latest.saturating_add(slack) {
        (last, latest, format!("{} too late", words::seconds(from - latest)))
    } else if to.saturating_add(slack) < earliest {
        (first, earliest, format!("{} too early", words::seconds(earliest - to)))
    } else {
        return None;
    };
    let says = format!(
        "{} was to expire at {} ({}); {who} says that {} are left, {off}",
        log.id,
        words::seconds(due),
        words::name(index, index.operation(setter)),
        words::seconds(left),
    );
    Some((says, setter))
}

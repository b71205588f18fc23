//! I1: every acknowledged write that is not superseded, destroyed or expired is readable: what Redis acknowledged at once
//! wherever Redis answers, everything by H + R through every instance and in Redis.

use super::index::{Index, OperationId};
use super::reads::{Read, Seen, View};
use super::session::{Fact, SessionLog};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::history::ServedBy;
use crate::load::Kind;

/// I1.
pub(super) struct NoLostWrite;

impl Check for NoLostWrite {
    fn name(&self) -> &'static str {
        "I1"
    }

    fn title(&self) -> &'static str {
        "no lost write"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        let mut local = 0;
        for log in index.sessions.values() {
            for read in log.reads(index) {
                if read.is_final() {
                    local += u64::from(look(index, log, &read, &mut tally));
                } else if let (View::Redis, Some(writer)) = (read.view, index.writer_of(&read)) {
                    value(index, log, &read, writer, &mut tally);
                }
            }
        }
        let not_brought = if index.brings_local_writes() {
            String::new()
        } else {
            "; writes accepted locally were not judged, for the subject has no resync".to_owned()
        };
        let held = format!(
            "{} reads found what they had to, {local} of them at the end with writes that had been accepted locally{not_brought}{}",
            tally.count(),
            permitted(index),
        );
        let unseen =
            "no session with an acknowledged write was read after it; final reads would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

/// What instances that crashed may have taken along: that is permitted, and told.
fn permitted(index: &Index<'_>) -> String {
    let writes = index.operations.iter().enumerate().filter(|(id, operation)| {
        !matches!(operation.kind, Kind::Get | Kind::Ttl) && index.may_be_taken_along(*id)
    });
    match writes.count() {
        0 => String::new(),
        count => format!(
            "; permitted loss: {count} writes that instances had accepted locally and need not have brought when they ended"
        ),
    }
}

/// A final look. Returns whether a write that was accepted locally was at stake.
fn look(index: &Index<'_>, log: &SessionLog, read: &Read, tally: &mut Tally) -> bool {
    match (read.seen, index.writer_of(read)) {
        (Seen::Value(_), Some(writer)) => value(index, log, read, writer, tally),
        // Integrity judges a value that nobody wrote.
        (Seen::Value(_), None) => {}
        (Seen::There(_) | Seen::Alive, _) => {
            if log.must_be_there(index, read) {
                tally.judged();
            }
        }
        (Seen::Absent, _) => absent(index, log, read, tally),
    }
    let at_stake = log.floor(index, read, Fact::Life);
    at_stake.operations().any(|id| index.operation(id).served_by() == Some(ServedBy::Local))
}

/// A value must not be surely older than one that the reader must have known.
fn value(index: &Index<'_>, log: &SessionLog, read: &Read, writer: OperationId, tally: &mut Tally) {
    let floor = log.floor(index, read, Fact::Value);
    // What the load's reader wrote itself is judged as I3.
    let lost = floor
        .supersedes(index, writer)
        .filter(|lost| read.is_final() || !read.is_by(usize::from(index.operation(*lost).instance)));
    if floor.operations().next().is_none() {
        return;
    }
    match lost {
        None => tally.judged(),
        Some(lost) => tally.broken(read.to.entry, || {
            let says = format!(
                "{} is lost: {} brought back the older {}",
                words::operation(index, lost),
                words::reader(index, read),
                words::name(index, index.operation(writer)),
            );
            let mut entries = read.entries();
            entries.extend(index.operation(lost).entries());
            entries.push(index.operation(writer).invoke.entry);
            (says, entries)
        }),
    }
}

fn absent(index: &Index<'_>, log: &SessionLog, read: &Read, tally: &mut Tally) {
    let Some(must) = log.because(index, read) else { return };
    tally.broken(read.to.entry, || {
        let until = must.earliest.map(|(t, _)| format!(" and it lives until {}", words::seconds(t)));
        let says = format!(
            "{} is lost: nothing ended {} since{}, yet it is not there for {}",
            words::operation(index, must.because),
            log.id,
            until.unwrap_or_default(),
            words::reader(index, read),
        );
        let mut entries = read.entries();
        entries.extend(index.operation(must.because).entries());
        (says, entries)
    });
}

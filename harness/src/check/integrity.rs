//! I2: every value read was written, whole, for that same session.

use super::index::{Ending, Index};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::check::reads::Read;
use crate::history::{Saw, ValueSeen};
use crate::load::Kind;

/// I2.
pub(super) struct Integrity;

impl Check for Integrity {
    fn name(&self) -> &'static str {
        "I2"
    }

    fn title(&self) -> &'static str {
        "integrity"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for read in index.sessions.values().flat_map(|log| log.reads(index)) {
            let Some(seen) = read.value() else { continue };
            match wrong(index, &read, &seen) {
                None => tally.judged(),
                Some((why, others)) => tally.broken(read.to.entry, || {
                    let says = format!(
                        "a read of {} by {} brought back {why}",
                        read.session,
                        words::reader(index, &read)
                    );
                    (says, [read.entries(), others].concat())
                }),
            }
        }
        answers(index, &mut tally);
        let held = format!("each of {} values read was written for its session", tally.count());
        let unseen = "no value was read; a load with `get` would make it known".to_owned();
        tally.finding(self, index, Words { held, unseen })
    }
}

/// An answer must be one to what was asked.
fn answers(index: &Index<'_>, tally: &mut Tally) {
    for (id, operation) in index.operations.iter().enumerate() {
        let Ending::Acknowledged { saw, .. } = operation.ending else { continue };
        let fits = match operation.kind {
            Kind::Get => matches!(saw, Saw::Value(_)),
            Kind::Ttl => matches!(saw, Saw::Ttl(_)),
            Kind::Create | Kind::Update | Kind::Touch | Kind::Destroy => {
                matches!(saw, Saw::Done | Saw::Replicated)
            }
        };
        if !fits {
            tally.broken(operation.end.map_or(operation.invoke.entry, |end| end.entry), || {
                let says = format!("{} was given an answer to another question", words::operation(index, id));
                (says, operation.entries().collect())
            });
        }
    }
}

/// What is wrong with a value, if something is, and the entries that show it beside the read.
fn wrong(index: &Index<'_>, read: &Read, seen: &ValueSeen) -> Option<(String, Vec<usize>)> {
    // Mostly all is right: the writer is known, and wrote it for this session in time.
    let right = |writer| {
        seen.session == Some(read.session) && seen.intact && !index.operation(writer).never_happened()
    };
    if index.writer_of(read).is_some_and(right) {
        return None;
    }
    let Some(write) = seen.write else {
        return Some(("a value that names no write".to_owned(), Vec::new()));
    };
    let Some(writer) = index.writes.get(&write) else {
        return Some((format!("the value of {write}, which nobody ever wrote"), Vec::new()));
    };
    let operation = index.operation(*writer);
    let entries = operation.entries().collect();
    if operation.session != read.session || seen.session != Some(read.session) {
        let meant_for = seen.session.unwrap_or(operation.session);
        return Some((format!("the value of {write}, which was written for {meant_for}"), entries));
    }
    if !seen.intact {
        return Some((format!("a value that is not byte for byte what {write} wrote"), entries));
    }
    if operation.invoke > read.to {
        return Some((format!("the value of {write} before it was asked for"), entries));
    }
    operation
        .never_happened()
        .then(|| (format!("the value of {}, which surely failed", words::operation(index, *writer)), entries))
}

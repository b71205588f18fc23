//! I4: what an instance has read never goes back.

use super::index::{Index, OperationId};
use super::reads::Read;
use super::sightings::{self, Learnt, Sighting};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};

/// I4.
pub(super) struct MonotonicReads;

impl Check for MonotonicReads {
    fn name(&self) -> &'static str {
        "I4"
    }

    fn title(&self) -> &'static str {
        "monotonic reads"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for log in index.sessions.values() {
            for instance in log.readers(index) {
                sightings::walk(index, log, instance, |read, writer, learnt| {
                    one(index, read, writer, learnt, &mut tally);
                });
            }
        }
        let held = format!("none of {} reads went back behind an earlier one", tally.count());
        let unseen = "no instance read a session twice; a longer run, or fewer sessions, would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

fn one(index: &Index<'_>, read: &Read, writer: OperationId, learnt: &Learnt, tally: &mut Tally) {
    if !learnt.anything() {
        return;
    }
    if let Some((newer, earlier)) = learnt.read_newer(index, writer) {
        return tally.broken(read.to.entry, || {
            let says = format!(
                "{} had brought back {}; yet {} brought back {}, which is older",
                said(index, &earlier),
                words::name(index, index.operation(newer)),
                words::reader(index, read),
                words::name(index, index.operation(writer)),
            );
            let mut entries = read.entries();
            entries.extend(index.operation(earlier.by).entries());
            entries.push(index.operation(newer).invoke.entry);
            entries.push(index.operation(writer).invoke.entry);
            (says, entries)
        });
    }
    match learnt.reversal(writer).filter(|turned| turned.then.is_read()) {
        None => tally.judged(),
        Some(turned) => tally.broken(read.to.entry, || {
            let says = format!(
                "{} knew {}, then {} brought back another value; yet {} brought back the first again",
                said(index, &turned.first),
                words::name(index, index.operation(writer)),
                said(index, &turned.then),
                words::reader(index, read),
            );
            let mut entries = read.entries();
            entries.extend(index.operation(turned.first.by).end.map(|end| end.entry));
            entries.extend(index.operation(turned.then.by).entries());
            (says, entries)
        }),
    }
}

fn said(index: &Index<'_>, sighting: &Sighting) -> String {
    words::operation(index, sighting.by)
}

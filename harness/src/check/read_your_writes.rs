//! I3: an instance never misses what it has itself written.

use super::index::{Index, OperationId};
use super::reads::{Read, Seen};
use super::session::{Fact, SessionLog};
use super::sightings::{self, Learnt};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};

/// I3.
pub(super) struct ReadYourWrites;

impl Check for ReadYourWrites {
    fn name(&self) -> &'static str {
        "I3"
    }

    fn title(&self) -> &'static str {
        "read your writes"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for log in index.sessions.values() {
            for instance in log.readers(index) {
                sightings::walk(index, log, instance, |read, writer, learnt| {
                    value(index, log, instance, read, writer, learnt, &mut tally);
                });
                for read in log.reads_by(index, instance).filter(|read| read.seen == Seen::Absent) {
                    absent(index, log, instance, &read, &mut tally);
                }
            }
        }
        let held = format!("none of {} reads missed what its own instance had written", tally.count());
        let unseen = "no instance read a session that it had written; a load that mixes `get` with `update` would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

fn value(
    index: &Index<'_>,
    log: &SessionLog,
    instance: usize,
    read: &Read,
    writer: OperationId,
    learnt: &Learnt,
    tally: &mut Tally,
) {
    let Some(own) = log.floor(index, read, Fact::Value).of(instance) else { return };
    let turned_back =
        learnt.reversal(writer).filter(|turned| !turned.then.is_read() && !turned.then.is_destroy());
    let missed = index.precedes(writer, own).then_some(own).or(turned_back.map(|turned| turned.then.by));
    match missed {
        None => tally.judged(),
        Some(missed) => tally.broken(read.to.entry, || {
            let who = index.who(instance);
            let says = format!(
                "{who} had made {}; yet {} brought back the older {}",
                words::operation(index, missed),
                words::reader(index, read),
                words::name(index, index.operation(writer)),
            );
            let mut entries = read.entries();
            entries.extend(index.operation(missed).entries());
            entries.push(index.operation(writer).invoke.entry);
            (says, entries)
        }),
    }
}

fn absent(index: &Index<'_>, log: &SessionLog, instance: usize, read: &Read, tally: &mut Tally) {
    let Some(own) = log.floor(index, read, Fact::Life).of(instance) else { return };
    if !log.must_be_there(index, read) {
        return;
    }
    tally.broken(read.to.entry, || {
        let who = index.who(instance);
        let says = format!(
            "{who} had made {}; nothing ended {} since, yet {} said that there is no such session",
            words::operation(index, own),
            log.id,
            words::reader(index, read),
        );
        let mut entries = read.entries();
        entries.extend(index.operation(own).entries());
        (says, entries)
    });
}

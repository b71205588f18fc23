//! I6: a destroyed session stays destroyed, unless it is created again.

use super::floor::superseding;
use super::index::{Index, OperationId};
use super::reads::{Read, Seen};
use super::session::{Fact, SessionLog};
use super::sightings;
use super::tally::{Tally, Words};
use super::{Check, Finding, words};

/// I6.
pub(super) struct NoResurrection;

impl Check for NoResurrection {
    fn name(&self) -> &'static str {
        "I6"
    }

    fn title(&self) -> &'static str {
        "no resurrection"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for log in index.sessions.values().filter(|log| log.story.may_end) {
            for read in log.reads(index) {
                after_destroy(index, log, &read, &mut tally);
            }
            for instance in log.readers(index) {
                after_absence(index, log, instance, &mut tally);
            }
        }
        let held = format!("none of {} reads saw a destroyed session alive", tally.count());
        let unseen =
            "no session was read after an acknowledged destroy; a load with `destroy` would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

/// A read that must have known of a destroy.
fn after_destroy(index: &Index<'_>, log: &SessionLog, read: &Read, tally: &mut Tally) {
    let destroys: Vec<OperationId> = log.floor(index, read, Fact::Destruction).operations().collect();
    let Some(latest) = destroys.iter().copied().max() else { return };
    let revived_by = match read.seen {
        Seen::Absent => return tally.judged(),
        Seen::There(_) | Seen::Alive => None,
        Seen::Value(_) => {
            let Some(writer) = index.writer_of(read) else { return };
            superseding(index, writer, destroys.iter().copied()).map(|destroy| (destroy, Some(writer)))
        }
    };
    let never_again = !log.may_be_created_again(index, read, &destroys);
    match revived_by.or(never_again.then_some((latest, None))) {
        None => tally.judged(),
        Some((destroy, writer)) => tally.broken(read.to.entry, || {
            let what = writer.map_or_else(
                || format!("{} was not created again, yet it was there", log.id),
                |writer| format!("yet its earlier {} was there", words::name(index, index.operation(writer))),
            );
            let says =
                format!("{}; {what} for {}", words::operation(index, destroy), words::reader(index, read));
            let mut entries = read.entries();
            entries.extend(index.operation(destroy).entries());
            entries.extend(writer.map(|writer| index.operation(writer).invoke.entry));
            (says, entries)
        }),
    }
}

/// Reads of an instance that had itself said that there is no such session, or had destroyed it.
fn after_absence(index: &Index<'_>, log: &SessionLog, instance: usize, tally: &mut Tally) {
    sightings::walk(index, log, instance, |read, writer, learnt| {
        let turned = learnt.reversal(writer).filter(|turned| turned.then.is_destroy());
        let caught_above = || log.floor(index, read, Fact::Destruction).supersedes(index, writer).is_some();
        if let Some(turned) = turned.filter(|_| !caught_above()) {
            tally.broken(read.to.entry, || {
                let who = index.who(instance);
                let says = format!(
                    "{who} knew {}, and made {}; yet that value was there again for {}",
                    words::name(index, index.operation(writer)),
                    words::operation(index, turned.then.by),
                    words::reader(index, read),
                );
                let mut entries = read.entries();
                entries.extend(index.operation(turned.then.by).entries());
                entries.push(index.operation(turned.first.by).invoke.entry);
                (says, entries)
            });
        }
    });
    let mut absent: Option<Read> = None;
    for read in log.reads_by(index, instance) {
        match (read.seen, absent) {
            (Seen::Absent, _) => absent = Some(read),
            (Seen::Value(_) | Seen::There(_) | Seen::Alive, Some(gone)) if gone.to < read.from => {
                came_back(index, log, &gone, &read, tally);
            }
            (Seen::Value(_) | Seen::There(_) | Seen::Alive, _) => {}
        }
    }
}

/// A read that saw the session after one of the same instance that did not. That is fine if something may have created or
/// extended it that the earlier one need not have known, and where Redis may have forgotten.
fn came_back(index: &Index<'_>, log: &SessionLog, gone: &Read, back: &Read, tally: &mut Tally) {
    let forgotten = index.faults.forgotten_before(back.to.t) > 0;
    let judged_above = || log.floor(index, back, Fact::Destruction).operations().next().is_some();
    let wrongly_gone = || log.must_be_there(index, gone);
    let at_once = back.from.t <= gone.to.t.saturating_add(index.slack());
    if forgotten || at_once || !log.nothing_but(index, gone, back.to) || judged_above() || wrongly_gone() {
        return;
    }
    tally.broken(back.to.entry, || {
        let says = format!(
            "{} said that {} is gone, nothing created or extended it since, yet it was there for {}",
            words::reader(index, gone),
            log.id,
            words::reader(index, back),
        );
        (says, [gone.entries(), back.entries()].concat())
    });
}

//! I11: where instances wrote the same fact of a session and one of them could not reach Redis, the newest write survives, the same
//! for every reader, and what is newer in Redis is not overwritten.

use super::convergence;
use super::index::{Index, OperationId, nanos};
use super::reads::{Read, Seen, View};
use super::session::{Fact, SessionLog};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::history::{Capability, ServedBy};
use crate::load::Kind;

/// I11.
pub(super) struct Conflicts;

impl Check for Conflicts {
    fn name(&self) -> &'static str {
        "I11"
    }

    fn title(&self) -> &'static str {
        "conflicts"
    }

    fn needs(&self) -> &'static [Capability] {
        &[Capability::Resync]
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for log in index.sessions.values() {
            if contested(index, log, &[Kind::Create, Kind::Update]) {
                values(index, log, &mut tally);
            }
            if contested(index, log, &[Kind::Create, Kind::Touch]) {
                expiries(index, log, &mut tally);
            }
            if contested(index, log, &[Kind::Create, Kind::Destroy]) {
                lives(index, log, &mut tally);
            }
        }
        let held = format!("of writes that met in a resync the newest stood in all {} looks", tally.count());
        let unseen = "no session was written by two instances of which one could not reach Redis; an outage of one of them, under a load on few \
                      sessions, would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

/// Whether instances wrote the same fact of it, and a resync had to bring one of these writes.
fn contested(index: &Index<'_>, log: &SessionLog, kinds: &[Kind]) -> bool {
    let set = || {
        let operations = log.operations.iter().map(|id| index.operation(*id));
        operations.filter(|operation| kinds.contains(&operation.kind) && !operation.never_happened())
    };
    let Some(first) = set().next() else { return false };
    set().any(|other| other.instance != first.instance)
        && set().any(|operation| operation.served_by() == Some(ServedBy::Local))
}

/// Whether a resync had to decide between them: they are of two instances, and one of them was accepted locally.
fn meet(index: &Index<'_>, one: OperationId, other: OperationId) -> bool {
    let (one, other) = (index.operation(one), index.operation(other));
    let local = [one, other].into_iter().any(|write| write.served_by() == Some(ServedBy::Local));
    local && one.instance != other.instance
}

/// The newest write that `older` had to give way to.
fn newer(
    index: &Index<'_>,
    others: impl Iterator<Item = OperationId>,
    older: OperationId,
) -> Option<OperationId> {
    let later = others.filter(|id| meet(index, older, *id) && index.precedes(older, *id));
    later.max_by_key(|id| index.operation(*id).invoke)
}

fn values(index: &Index<'_>, log: &SessionLog, tally: &mut Tally) {
    for read in log.reads(index) {
        let Some(writer) = index.writer_of(&read) else { continue };
        // While the load runs only one thing is sure: what a resync brings does not overwrite what Redis acknowledged later.
        let brought = index.operation(writer).served_by() == Some(ServedBy::Local);
        if !read.is_final() && (read.view != View::Redis || !brought) {
            continue;
        }
        let floor = log.floor(index, &read, Fact::Value);
        let overwritten = newer(index, floor.operations(), writer)
            .filter(|id| read.is_final() || index.operation(*id).served_by() == Some(ServedBy::Redis));
        match overwritten {
            Some(newer) => lost(index, &read, (writer, newer), "brought back the value of", tally),
            None if floor.operations().next().is_some() => tally.judged(),
            None => {}
        }
    }
    one_for_all(index, log, tally);
}

/// Every reader sees the same write, once all have met.
fn one_for_all(index: &Index<'_>, log: &SessionLog, tally: &mut Tally) {
    let looks: Vec<Read> = log.reads(index).filter(Read::is_final).collect();
    let mut seen = looks.iter().filter_map(|look| Some((look, index.writer_of(look)?)));
    let Some((first, one)) = seen.next() else { return };
    let differs = |(look, writer): &(&Read, OperationId)| {
        *writer != one && !convergence::may_change(index, first, look)
    };
    let Some((look, other)) = seen.find(differs) else { return };
    // That a write which failed shows itself is a matter of I2.
    let failed = [one, other].into_iter().any(|id| index.operation(id).never_happened());
    if failed || !meet(index, one, other) || !convergence::settled(index, log, &looks) {
        return;
    }
    tally.broken(look.to.entry.max(first.to.entry), || {
        let says = format!(
            "{} and {} met, and one of them was to stand everywhere; yet {} has the first, and {} the second",
            words::operation(index, one),
            words::operation(index, other),
            words::reader(index, first),
            words::reader(index, look),
        );
        let written = [one, other].map(|id| index.operation(id).invoke.entry);
        (says, [&written[..], &[first.to.entry, look.to.entry]].concat())
    });
}

/// The expiry that Redis keeps in the end is not one that a newer write had replaced.
fn expiries(index: &Index<'_>, log: &SessionLog, tally: &mut Tally) {
    let slack = nanos(index.rules().ttl_slack);
    for read in log.reads(index).filter(Read::is_final) {
        let Seen::There(Some(left)) = read.seen else { continue };
        let left = left.saturating_mul(1_000_000);
        let from = read.from.t.saturating_add(left).saturating_sub(slack);
        let to = read.to.t.saturating_add(left).saturating_add(1_000_000).saturating_add(slack);
        let range = log.expiry(index, &read);
        let (Some((earliest, _)), Some((latest, _))) = (range.earliest, range.latest) else { continue };
        if from <= latest && earliest <= to {
            tally.judged();
            continue;
        }
        let floor = log.floor(index, &read, Fact::Expiry);
        let sets = |id: &&OperationId| {
            let operation = index.operation(**id);
            let (Some(ttl), Some(end)) = (operation.ttl, operation.end) else { return false };
            let set = operation.invoke.t.saturating_add(ttl)..=end.t.saturating_add(ttl);
            matches!(operation.kind, Kind::Create | Kind::Touch) && from <= *set.end() && *set.start() <= to
        };
        let mut stands = log.operations.iter().filter(sets);
        let older = stands.find_map(|older| Some((*older, newer(index, floor.operations(), *older)?)));
        if let Some(pair) = older {
            lost(index, &read, pair, "has the expiry of", tally);
        }
    }
}

/// A session that was created on one side and destroyed on the other is there in the end as the newer of both says.
fn lives(index: &Index<'_>, log: &SessionLog, tally: &mut Tally) {
    for read in log.reads(index).filter(Read::is_final) {
        if read.seen == Seen::Absent {
            let Some(must) = log.because(index, &read) else {
                tally.judged();
                continue;
            };
            let older = log.operations.iter().rev().find(|id| {
                let destroys = index.operation(**id).kind == Kind::Destroy;
                destroys && meet(index, **id, must.because) && index.precedes(**id, must.because)
            });
            if let Some(older) = older {
                lost(index, &read, (*older, must.because), "tells the end by", tally);
            }
            continue;
        }
        let destroys: Vec<OperationId> = log.floor(index, &read, Fact::Destruction).operations().collect();
        if destroys.is_empty() {
            continue;
        }
        let revived = match (read.seen, index.writer_of(&read)) {
            (Seen::Value(_), None) => continue,
            (Seen::Value(_), Some(writer)) => {
                newer(index, destroys.iter().copied(), writer).map(|newer| (writer, newer))
            }
            (Seen::There(_) | Seen::Alive | Seen::Absent, _) => None,
        };
        let never_again = || !log.may_be_created_again(index, &read, &destroys);
        let creates = || log.floor(index, &read, Fact::Creation);
        let older =
            || creates().operations().find_map(|id| Some((id, newer(index, destroys.iter().copied(), id)?)));
        match revived.or_else(|| if never_again() { older() } else { None }) {
            Some(pair) => lost(index, &read, pair, "still shows the session of", tally),
            None => tally.judged(),
        }
    }
}

/// The older of two writes stands where the newer was to stand.
fn lost(
    index: &Index<'_>,
    read: &Read,
    (older, newer): (OperationId, OperationId),
    shows: &str,
    tally: &mut Tally,
) {
    tally.broken(read.to.entry, || {
        let says = format!(
            "{} and {} met, and the second, which is newer, was to stand; yet {} {shows} the first",
            words::operation(index, older),
            words::operation(index, newer),
            words::reader(index, read),
        );
        let mut entries = read.entries();
        entries.extend(index.operation(newer).entries());
        entries.push(index.operation(older).invoke.entry);
        (says, entries)
    });
}

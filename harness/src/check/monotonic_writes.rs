//! I5: the writes of an instance to a session take effect in the order in which it made them: once one has shown itself in Redis,
//! no earlier one comes back.

use std::collections::BTreeSet;

use super::index::{Index, Moment, OperationId};
use super::reads::Read;
use super::session::SessionLog;
use super::tally::{Tally, Words};
use super::{Check, Finding, words};
use crate::history::{Reader, ServedBy};
use crate::load::Kind;

/// I5.
pub(super) struct MonotonicWrites;

/// The first read by which a reader learnt of another's write, served by Redis: so Redis had it by then. What a reader brings
/// back later it may have kept itself.
struct Shown {
    write: OperationId,
    from: Moment,
    to: Moment,
    read: Read,
}

impl Check for MonotonicWrites {
    fn name(&self) -> &'static str {
        "I5"
    }

    fn title(&self) -> &'static str {
        "monotonic writes"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for log in index.sessions.values() {
            session(index, log, &mut tally);
        }
        let held = format!(
            "none of {} reads in Redis brought a write back behind a later one of the same instance",
            tally.count()
        );
        let unseen = "nobody read twice in Redis what another instance had written; two instances that share sessions, under a load that mixes \
                      `get` with `update`, would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}

fn session(index: &Index<'_>, log: &SessionLog, tally: &mut Tally) {
    let reads: Vec<(Read, OperationId)> =
        log.reads(index).filter_map(|read| Some((read, index.writer_of(&read)?))).collect();
    let mut shown = shown(index, &reads).into_iter().peekable();
    // Of each instance's writes that have shown themselves, the one made last.
    let mut newest: Vec<Option<Shown>> = std::iter::repeat_with(|| None).take(index.instances()).collect();
    let mut forgotten = 0;
    for (read, writer) in reads.iter().filter(|(read, _)| by_redis(index, read)) {
        let lost = forgotten_until(index, read);
        if lost > forgotten {
            forgotten = lost;
            newest.iter_mut().for_each(|place| *place = None);
        }
        while let Some(next) = shown.next_if(|next| next.to.t.saturating_add(index.slack()) < read.from.t) {
            let write = index.operation(next.write);
            let place = &mut newest[usize::from(write.instance)];
            let newer = place.as_ref().is_none_or(|place| index.operation(place.write).invoke < write.invoke);
            if newer && next.from.t >= forgotten {
                *place = Some(next);
            }
        }
        if let Some(later) = &newest[usize::from(index.operation(*writer).instance)] {
            judge(index, log, (read, *writer), later, tally);
        }
    }
}

fn judge(
    index: &Index<'_>,
    log: &SessionLog,
    (read, writer): (&Read, OperationId),
    later: &Shown,
    tally: &mut Tally,
) {
    if !index.precedes(writer, later.write) || may_have_ended(index, log, (read, writer), later) {
        return tally.judged();
    }
    tally.broken(read.to.entry, || {
        let says = format!(
            "{} made {}, and after it {}, which Redis had: {} brought it back; yet {} brought back the first again",
            index.who(index.operation(writer).instance),
            words::operation(index, writer),
            words::name(index, index.operation(later.write)),
            words::reader(index, &later.read),
            words::reader(index, read),
        );
        let mut entries = read.entries();
        entries.push(later.to.entry);
        entries.extend([writer, later.write].map(|id| index.operation(id).invoke.entry));
        (says, entries)
    });
}

/// In the order in which they ended. What the writer itself reads it may know from itself.
fn shown(index: &Index<'_>, reads: &[(Read, OperationId)]) -> Vec<Shown> {
    let mut first = BTreeSet::new();
    let mut shown = Vec::new();
    for (read, write) in reads {
        let own = read.is_by(usize::from(index.operation(*write).instance));
        if !own && first.insert((read.reader, *write)) && by_redis(index, read) {
            shown.push(Shown { write: *write, from: read.from, to: read.to, read: *read });
        }
    }
    shown.sort_by_key(|shown| shown.to);
    shown
}

/// Whether Redis surely had a part in it. A final look through an instance of the run does not say.
fn by_redis(index: &Index<'_>, read: &Read) -> bool {
    match read.operation.get() {
        Some(id) => index.operation(id).served_by() == Some(ServedBy::Redis),
        None => read.reader == Reader::Fresh,
    }
}

/// Until when what Redis shows may go back behind what it had, because it has lost its data before the end of `read`.
fn forgotten_until(index: &Index<'_>, read: &Read) -> u64 {
    match index.faults.forgotten_before(read.to.t) {
        0 => 0,
        // Where it may be that nobody has it any more, it never comes back.
        _ if !index.keeps_all() => u64::MAX,
        lost => lost.saturating_add(index.resync_within()).saturating_add(index.slack()),
    }
}

/// Whether the session may have ended since the later write was shown, and with it that write: it was destroyed, unless surely
/// before the first one, or a TTL may have ended. A copy that another instance has kept alive may then come to light.
fn may_have_ended(
    index: &Index<'_>,
    log: &SessionLog,
    (read, writer): (&Read, OperationId),
    later: &Shown,
) -> bool {
    let slack = index.slack();
    let until = read.to.t.saturating_add(slack);
    let begun = log.operations.iter().take_while(|id| index.operation(**id).invoke < read.to);
    begun.filter(|id| !index.operation(**id).never_happened()).any(|id| {
        let operation = index.operation(*id);
        match operation.kind {
            Kind::Destroy => !index.precedes(*id, writer),
            Kind::Create | Kind::Touch => {
                let ttl = operation.ttl.unwrap_or(u64::MAX);
                // What is not acknowledged may take effect at any time.
                let set = operation.end.filter(|_| operation.acknowledged()).map_or(u64::MAX, |end| end.t);
                let latest = set.saturating_add(ttl).saturating_add(slack);
                operation.invoke.t.saturating_add(ttl) <= until && later.from.t <= latest
            }
            Kind::Update | Kind::Get | Kind::Ttl => false,
        }
    })
}

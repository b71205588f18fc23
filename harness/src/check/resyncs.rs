//! The resyncs of each instance, as it told of them, and which sessions it may have had to bring since some time.

use std::collections::HashSet;

use super::index::{Ending, Index, Moment, Operation};
use super::spread::Spread;
use crate::history::{Event, Resync, ServedBy, SessionId};
use crate::load::Kind;

/// A resync as an instance told of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bringing {
    pub(crate) from: Moment,
    /// How many sessions it had to bring.
    pub(crate) sessions: u64,
    /// How it ended, if it told.
    pub(crate) end: Option<(Moment, End)>,
    /// When it was over: its end, or the start of the next.
    until: u64,
}

/// How a resync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It brought so many sessions, and nothing is left.
    Finished(u64),
    /// So many sessions are left.
    Interrupted(u64),
}

impl Bringing {
    /// Whether it was over at `t`.
    pub(crate) fn is_over(&self, t: u64) -> bool {
        self.until < t
    }

    /// Whether it was under way at some time from `from` to `to`.
    pub(crate) fn meets(&self, from: u64, to: u64) -> bool {
        self.from.t <= to && from <= self.until
    }
}

/// The resyncs of each instance, in order.
pub(crate) fn all(index: &Index<'_>) -> Vec<Vec<Bringing>> {
    let mut all: Vec<Vec<Bringing>> = vec![Vec::new(); index.instances()];
    for (entry, line) in index.told() {
        let Event::Resync { instance, what } = line.e else { continue };
        let Some(of_it) = all.get_mut(usize::from(instance)) else { continue };
        let moment = Moment { t: line.t, entry };
        let end = match what {
            Resync::Started { sessions } => {
                if let Some(last) = of_it.last_mut().filter(|last| last.end.is_none()) {
                    last.until = line.t;
                }
                of_it.push(Bringing { from: moment, sessions, end: None, until: u64::MAX });
                continue;
            }
            Resync::Finished { sessions } => End::Finished(sessions),
            Resync::Interrupted { sessions } => End::Interrupted(sessions),
        };
        if let Some(last) = of_it.last_mut().filter(|last| last.end.is_none()) {
            (last.end, last.until) = (Some((moment, end)), line.t);
        }
    }
    all
}

/// The operations of one instance, arranged so that those of some time are found soon.
pub(crate) struct Work<'a> {
    slack: u64,
    /// Those that ended, in the order in which they were invoked.
    ended: Vec<&'a Operation>,
    /// Those that never did.
    endless: Vec<&'a Operation>,
    longest: u64,
    /// Whether some on one session overlap.
    overlap: bool,
}

impl<'a> Work<'a> {
    /// Of this instance.
    pub(crate) fn of(index: &'a Index<'_>, instance: u16) -> Self {
        let of_it = index.operations_of(instance).map(|(_, operation)| operation);
        let (ended, endless): (Vec<_>, Vec<_>) = of_it.partition(|operation| operation.end.is_some());
        let took = |operation: &&Operation| over(operation).saturating_sub(operation.invoke.t);
        let longest = ended.iter().map(took).max().unwrap_or(0);
        let overlap = index.sessions.values().any(|log| log.overlaps(instance));
        Self { slack: index.slack(), ended, endless, longest, overlap }
    }

    /// Those under way at some time from `from` to `to`, give or take e.
    pub(crate) fn between(&self, from: u64, to: u64) -> impl Iterator<Item = &'a Operation> + '_ {
        let (from, to) = (from.saturating_sub(self.slack), to.saturating_add(self.slack));
        let oldest = from.saturating_sub(self.longest);
        let first = self.ended.partition_point(|operation| operation.invoke.t < oldest);
        let begun = move |operation: &&&Operation| operation.invoke.t <= to;
        let ended = self.ended[first..].iter().take_while(begun).filter(move |ended| over(ended) >= from);
        ended.chain(self.endless.iter().filter(begun)).copied()
    }

    /// Of how many sessions Redis may lack something at `to` that the instance did since `from`. What Redis acknowledged is in
    /// Redis, unless something else brought the session at the same time: `resync`.
    pub(crate) fn left_to_bring(&self, from: u64, to: u64, resync: &Bringing) -> u64 {
        self.lacking(from, to, resync).collect::<HashSet<_, Spread>>().len() as u64
    }

    /// Whether there are so many at least. Mostly none is asked for, or some are found soon.
    pub(crate) fn leaves(&self, count: u64, from: u64, to: u64, resync: &Bringing) -> bool {
        let mut found: HashSet<SessionId, Spread> = HashSet::default();
        count == 0
            || self.lacking(from, to, resync).any(|session| {
                found.insert(session);
                found.len() as u64 >= count
            })
    }

    /// Their sessions, which may be named more than once.
    fn lacking<'b>(
        &'b self,
        from: u64,
        to: u64,
        resync: &'b Bringing,
    ) -> impl Iterator<Item = SessionId> + 'b {
        let met = |operation: &&Operation| {
            let (from, to) = (operation.invoke.t.saturating_sub(self.slack), over(operation));
            resync.meets(from, to.saturating_add(self.slack))
        };
        let in_redis = |operation: &&Operation| match operation.ending {
            Ending::Acknowledged { by, .. } => by == ServedBy::Redis,
            Ending::NoSession => true,
            Ending::Failed | Ending::Unknown | Ending::Missing => false,
        };
        let ends_later = move |operation: &&Operation| over(operation).saturating_add(self.slack) >= to;
        let writes = |operation: &&Operation| !matches!(operation.kind, Kind::Get | Kind::Ttl);
        let lacks = move |operation: &&Operation| {
            let written = writes(operation) && (self.overlap || !in_redis(operation));
            written || met(operation) || ends_later(operation)
        };
        self.between(from, to).filter(lacks).map(|operation| operation.session)
    }
}

fn over(operation: &Operation) -> u64 {
    operation.end.map_or(u64::MAX, |end| end.t)
}

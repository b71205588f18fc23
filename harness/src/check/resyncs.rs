//! The resyncs of each instance, as it told of them, and which sessions it may have had to bring since some time.

use std::collections::{BTreeSet, HashMap};

use super::index::{Ending, Index, Moment, Operation};
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
        let of_it = index.operations.iter().filter(|operation| operation.instance == instance);
        let (ended, endless): (Vec<_>, Vec<_>) = of_it.partition(|operation| operation.end.is_some());
        let took = |operation: &&Operation| over(operation).saturating_sub(operation.invoke.t);
        let longest = ended.iter().map(took).max().unwrap_or(0);
        let mut last: HashMap<SessionId, Moment> = HashMap::new();
        let mut overlap = false;
        for operation in &ended {
            let end = operation.end.unwrap_or(operation.invoke);
            let before = last.insert(operation.session, end);
            overlap |= before.is_some_and(|before| before > operation.invoke);
        }
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

    /// The sessions of which Redis may lack something at `to` that the instance did since `from`. What Redis acknowledged is
    /// in Redis, unless something else brought the session at the same time.
    pub(crate) fn left_to_bring(&self, from: u64, to: u64, resyncs: &[Bringing]) -> BTreeSet<SessionId> {
        let met = |operation: &&Operation| {
            let (from, to) = (operation.invoke.t.saturating_sub(self.slack), over(operation));
            resyncs.iter().any(|resync| resync.meets(from, to.saturating_add(self.slack)))
        };
        let in_redis = |operation: &&Operation| match operation.ending {
            Ending::Acknowledged { by, .. } => by == ServedBy::Redis,
            Ending::NoSession => true,
            Ending::Failed | Ending::Unknown | Ending::Missing => false,
        };
        let ends_later = |operation: &&Operation| over(operation).saturating_add(self.slack) >= to;
        let writes = |operation: &&Operation| !matches!(operation.kind, Kind::Get | Kind::Ttl);
        let lacks = |operation: &&Operation| {
            let written = writes(operation) && (self.overlap || !in_redis(operation));
            written || met(operation) || ends_later(operation)
        };
        self.between(from, to).filter(lacks).map(|operation| operation.session).collect()
    }
}

fn over(operation: &Operation) -> u64 {
    operation.end.map_or(u64::MAX, |end| end.t)
}

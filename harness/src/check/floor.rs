//! What a read must have known of a fact.

use super::index::Index;
use super::lane::{Acknowledged, Ended, Fact, Lane};
use super::operation::OperationId;
use super::reads::{Read, View};

/// What a read must have known of a fact: of each instance, the operation invoked last that it cannot have missed. Found when it
/// is asked for, instance by instance.
pub(crate) struct Floor<'a> {
    index: &'a Index<'a>,
    lanes: &'a [Lane],
    /// How many writes of each lane had ended before the read began, where that is known.
    ended_before: Option<&'a [u32]>,
    fact: Fact,
    read: &'a Read,
    /// Everything that ended before this had to be everywhere.
    settled: Option<u64>,
    /// Redis may have forgotten what was invoked before this.
    forgotten: u64,
    /// What of each lane had ended, where several facts are asked for.
    rows: Option<&'a [Row<'a>]>,
}

/// What of a lane had ended when a read began, as far as it concerns the read, and what of it was settled by then.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    before: Option<&'a Ended>,
    settled: Option<&'a Ended>,
}

impl<'a> Floor<'a> {
    pub(crate) fn new(
        index: &'a Index<'_>,
        lanes: &'a [Lane],
        ended_before: Option<&'a [u32]>,
        read: &'a Read,
        fact: Fact,
    ) -> Self {
        let settled = read.from.t.checked_sub(index.resync_within().saturating_add(index.slack()));
        let settled = settled.filter(|_| read.view == View::Redis && read.from.t > index.settled_after(0));
        let forgotten = index.faults.forgotten_before(read.to.t);
        Self { index, lanes, ended_before, fact, read, settled, forgotten, rows: None }
    }

    /// What of each lane had ended. It is the same for every fact.
    pub(crate) fn rows(&self) -> Vec<Row<'a>> {
        (0..self.lanes.len()).map(|place| self.row(place)).collect()
    }

    /// What the same read must have known of this fact, of these rows.
    pub(crate) fn about<'b>(&self, fact: Fact, rows: &'b [Row<'b>]) -> Floor<'b>
    where
        'a: 'b,
    {
        Floor { fact, rows: Some(rows), ..*self }
    }

    /// The operation that surely superseded `earlier`, if one did: of those, the one invoked last.
    pub(crate) fn supersedes(&self, index: &Index<'_>, earlier: OperationId) -> Option<OperationId> {
        // What was not invoked later cannot have followed.
        let later = self.operations().filter(|later| *later > earlier && index.precedes(earlier, *later));
        later.max()
    }

    /// The operations, at most one of each instance.
    pub(crate) fn operations(&self) -> impl Iterator<Item = OperationId> {
        self.by_lane().flatten()
    }

    /// Of this instance.
    pub(crate) fn of(&self, instance: usize) -> Option<OperationId> {
        let place = self.lanes.iter().position(|lane| usize::from(lane.instance) == instance);
        place.and_then(|place| self.of_lane(place))
    }

    /// The one invoked last.
    pub(crate) fn latest(&self) -> Option<OperationId> {
        self.operations().max()
    }

    /// Of each lane, in their order.
    pub(crate) fn by_lane(&self) -> impl Iterator<Item = Option<OperationId>> {
        (0..self.lanes.len()).map(|place| self.of_lane(place))
    }

    fn row(&self, place: usize) -> Row<'a> {
        let (read, from, lane) = (self.read, self.read.from, &self.lanes[place]);
        let concerns = read.view == View::Redis || read.is_by(usize::from(lane.instance));
        let before = || match self.ended_before {
            Some(counts) => lane.after(counts[place]),
            None => lane.last(|end| end < from),
        };
        Row {
            before: concerns.then(before).flatten(),
            settled: self.settled.and_then(|settled| lane.last(|end| end.t < settled)),
        }
    }

    fn of_lane(&self, place: usize) -> Option<OperationId> {
        let (read, lane) = (self.read, &self.lanes[place]);
        let row = self.rows.map_or_else(|| self.row(place), |rows| rows[place]);
        let of = |row: Option<&Ended>, acknowledged| row.and_then(|row| row.latest(self.fact, acknowledged));
        let brings = self.index.brings_local_writes();
        let all = if brings { Acknowledged::ByAnyone } else { Acknowledged::ByRedis };
        let mut latest = None;
        if read.is_by(usize::from(lane.instance)) {
            let own = if read.view == View::Own { Acknowledged::ByAnyone } else { all };
            latest = of(row.before, own);
        } else if read.view == View::Redis {
            latest = self.remembered(row.before);
        }
        let latest = latest.max(if self.index.gone(lane.instance).is_some() {
            row.settled.and_then(|_| self.left_by(lane))
        } else {
            of(row.settled, all)
        });
        latest.filter(|id| !self.index.may_be_dropped(*id, read.to.t))
    }

    /// Of what had ended, the last that Redis acknowledged and has not forgotten since: replicas may have what it lost.
    fn remembered(&self, ended: Option<&Ended>) -> Option<OperationId> {
        let since =
            |begin: u64| move |id: &OperationId| begin == 0 || self.index.operation(*id).invoke.t >= begin;
        let ended = ended?;
        let in_redis = ended.latest(self.fact, Acknowledged::ByRedis).filter(since(self.forgotten));
        let on_replicas = || {
            let forgotten = self.index.faults.forgotten_by_replicas_before(self.read.to.t);
            ended.latest(self.fact, Acknowledged::OnReplicas).filter(since(forgotten))
        };
        in_redis.or_else(on_replicas)
    }

    /// What is known for good of an instance that is gone: what Redis acknowledged and has not forgotten since, for nobody may bring
    /// it again; and what was accepted locally so early that it was brought, or lies on disk.
    fn left_by(&self, lane: &Lane) -> Option<OperationId> {
        let (settled, t) = (self.settled?, self.read.to.t);
        let of = |row: Option<&Ended>, acknowledged| row.and_then(|row| row.latest(self.fact, acknowledged));
        let remembered = |id: &OperationId| self.index.operation(*id).invoke.t >= self.forgotten;
        let in_redis = self.remembered(lane.last(|end| end.t < settled));
        if !self.index.brings_local_writes() {
            return in_redis;
        }
        let until = self.index.brought_until(lane.instance).min(settled);
        let kept = |id: &OperationId| {
            let since = self.index.faults.forgetting_from(t);
            remembered(id) || !self.index.in_redis(*id) && self.index.operation(*id).invoke.t >= since
        };
        in_redis.max(of(lane.last(|end| end.t < until), Acknowledged::ByAnyone).filter(kept))
    }
}

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
        Self { index, lanes, ended_before, fact, read, settled, forgotten }
    }

    /// The operation that surely superseded `earlier`, if one did: of those, the one invoked last.
    pub(crate) fn supersedes(&self, index: &Index<'_>, earlier: OperationId) -> Option<OperationId> {
        superseding(index, earlier, self.operations())
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

    fn of_lane(&self, place: usize) -> Option<OperationId> {
        let (read, lane) = (self.read, &self.lanes[place]);
        let of = |row: Option<&Ended>, acknowledged| row.and_then(|row| row.latest(self.fact, acknowledged));
        let brings = self.index.brings_local_writes();
        let all = if brings { Acknowledged::ByAnyone } else { Acknowledged::ByRedis };
        let mut latest = None;
        if read.is_by(usize::from(lane.instance)) {
            let own = if read.view == View::Own { Acknowledged::ByAnyone } else { all };
            latest = of(self.before(place), own);
        } else if read.view == View::Redis {
            latest = self.remembered(self.before(place));
        }
        let settled = self.settled.and_then(|settled| lane.last(|end| end.t < settled));
        let latest = latest.max(if self.index.gone(lane.instance).is_some() {
            settled.and_then(|_| self.left_by(lane))
        } else {
            of(settled, all)
        });
        latest.filter(|id| !self.index.may_be_dropped(*id, read.to.t))
    }

    /// What of a lane had ended when the read began.
    fn before(&self, place: usize) -> Option<&'a Ended> {
        let (lane, from) = (&self.lanes[place], self.read.from);
        match self.ended_before {
            Some(counts) => lane.after(counts[place]),
            None => lane.last(|end| end < from),
        }
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

/// The operation among these that surely superseded `earlier`, if one did: of those, the one invoked last.
pub(crate) fn superseding(
    index: &Index<'_>,
    earlier: OperationId,
    operations: impl Iterator<Item = OperationId>,
) -> Option<OperationId> {
    // What was not invoked later cannot have followed.
    operations.filter(|later| *later > earlier && index.precedes(earlier, *later)).max()
}

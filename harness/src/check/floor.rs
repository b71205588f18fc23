//! What a read must have known of a fact.

use super::index::Index;
use super::lane::{Acknowledged, Fact, Lane};
use super::operation::{Moment, OperationId};
use super::reads::{Read, View};

/// What a read must have known of a fact: of each instance, the operation invoked last that it cannot have missed. Found when it
/// is asked for, instance by instance.
pub(crate) struct Floor<'a> {
    index: &'a Index<'a>,
    lanes: &'a [Lane],
    fact: Fact,
    read: &'a Read,
    /// Everything that ended before this had to be everywhere.
    settled: Option<u64>,
    /// Redis may have forgotten what was invoked before this.
    forgotten: u64,
}

impl<'a> Floor<'a> {
    pub(crate) fn new(index: &'a Index<'_>, lanes: &'a [Lane], read: &'a Read, fact: Fact) -> Self {
        let settled = read.from.t.checked_sub(index.resync_within().saturating_add(index.slack()));
        let settled = settled.filter(|_| read.view == View::Redis && read.from.t > index.settled_after(0));
        let forgotten = index.faults.forgotten_before(read.to.t);
        Self { index, lanes, fact, read, settled, forgotten }
    }

    /// The operation that surely superseded `earlier`, if one did: of those, the one invoked last.
    pub(crate) fn supersedes(&self, index: &Index<'_>, earlier: OperationId) -> Option<OperationId> {
        // What was not invoked later cannot have followed.
        let later = self.operations().filter(|later| *later > earlier && index.precedes(earlier, *later));
        later.max()
    }

    /// The operations, at most one of each instance.
    pub(crate) fn operations(&self) -> impl Iterator<Item = OperationId> {
        self.lanes.iter().filter_map(|lane| self.of_lane(lane))
    }

    /// Of this instance.
    pub(crate) fn of(&self, instance: usize) -> Option<OperationId> {
        let lane = self.lanes.iter().find(|lane| usize::from(lane.instance) == instance);
        lane.and_then(|lane| self.of_lane(lane))
    }

    /// The one invoked last.
    pub(crate) fn latest(&self) -> Option<OperationId> {
        self.operations().max()
    }

    /// Of each lane, in their order.
    pub(crate) fn by_lane(&self) -> impl Iterator<Item = Option<OperationId>> {
        self.lanes.iter().map(|lane| self.of_lane(lane))
    }

    fn of_lane(&self, lane: &Lane) -> Option<OperationId> {
        let (read, from) = (self.read, self.read.from);
        let before = |end: Moment| end < from;
        let brings = self.index.brings_local_writes();
        let all = if brings { Acknowledged::ByAnyone } else { Acknowledged::ByRedis };
        let mut latest = None;
        if read.is_by(usize::from(lane.instance)) {
            let own = if read.view == View::Own { Acknowledged::ByAnyone } else { all };
            latest = lane.latest(self.fact, own, before);
        } else if read.view == View::Redis {
            let acknowledged = lane.latest(self.fact, Acknowledged::ByRedis, before);
            let remembered = |id: &OperationId| {
                self.forgotten == 0 || self.index.operation(*id).invoke.t >= self.forgotten
            };
            latest = acknowledged.filter(remembered);
        }
        if let Some(settled) = self.settled {
            latest = latest.max(lane.latest(self.fact, all, |end| end.t < settled));
        }
        latest.filter(|id| !self.index.may_be_dropped(*id, read.to.t))
    }
}

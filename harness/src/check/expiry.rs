//! When a session may expire: the operations that set its expiry, arranged so that the range of admissible expiries of a read is
//! found in O(log n).

use super::floor::Floor;
use super::index::{Index, Moment, OperationId};
use super::reads::Read;

/// When a session may expire, at the earliest and at the latest, each with the operation that sets it. `None` when nothing
/// is known to set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpiryRange {
    pub(crate) earliest: Option<(u64, OperationId)>,
    pub(crate) latest: Option<(u64, OperationId)>,
}

/// The earliest and the latest of some expiries, each with the operation that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extremes {
    earliest: (u64, OperationId),
    latest: (u64, OperationId),
}

/// Everything that sets a session's expiry.
#[derive(Default)]
pub(crate) struct Expiries {
    /// The acknowledged operations of each instance that was asked for the session.
    lanes: Vec<Lane>,
    /// Those that may take effect at any time, in the order in which they were invoked.
    loose: Vec<Loose>,
}

/// The acknowledged operations of one instance, in the order in which they were invoked.
#[derive(Default)]
struct Lane {
    invokes: Vec<Moment>,
    /// The last end so far.
    ends: Vec<Moment>,
    tree: Tree,
}

/// An operation whose outcome is not known, with the extremes of all such until it.
#[derive(Clone, Copy)]
struct Loose {
    invoke: Moment,
    earliest: (u64, OperationId),
    longest_ttl: (u64, OperationId),
}

impl Extremes {
    /// Of nothing.
    const NONE: Self = Self { earliest: (u64::MAX, OperationId::MAX), latest: (0, 0) };

    fn include(&mut self, other: Self) {
        self.earliest = self.earliest.min(other.earliest);
        self.latest = self.latest.max(other.latest);
    }

    /// The range where Redis's clock may have been so far off.
    fn widened(self, off: u64) -> ExpiryRange {
        let Self { earliest, latest } = self;
        if earliest == Self::NONE.earliest {
            return ExpiryRange::default();
        }
        ExpiryRange {
            earliest: Some((earliest.0.saturating_sub(off), earliest.1)),
            latest: Some((latest.0.saturating_add(off), latest.1)),
        }
    }
}

impl Expiries {
    /// Of `setters`, in the order in which they were invoked, by `instances`, in the order of their numbers.
    pub(crate) fn new(
        index: &Index<'_>,
        instances: &[u16],
        setters: impl Iterator<Item = OperationId>,
    ) -> Self {
        let lane = || (Lane::default(), Vec::new());
        let mut lanes: Vec<(Lane, Vec<Extremes>)> =
            std::iter::repeat_with(lane).take(instances.len()).collect();
        let mut loose: Vec<Loose> = Vec::new();
        for id in setters {
            let operation = index.operation(id);
            let Some(ttl) = operation.ttl else { continue };
            let invoke = operation.invoke;
            let earliest = (invoke.t.saturating_add(ttl), id);
            if let (true, Some(end)) = (operation.acknowledged(), operation.end) {
                let Ok(lane) = instances.binary_search(&operation.instance) else { continue };
                let (lane, leaves) = &mut lanes[lane];
                lane.invokes.push(invoke);
                lane.ends.push(lane.ends.last().map_or(end, |last| end.max(*last)));
                leaves.push(Extremes { earliest, latest: (end.t.saturating_add(ttl), id) });
            } else if operation.may_happen() {
                let longest_ttl = (ttl, id);
                let before = loose.last().copied().unwrap_or(Loose { invoke, earliest, longest_ttl });
                loose.push(Loose {
                    invoke,
                    earliest: before.earliest.min(earliest),
                    longest_ttl: before.longest_ttl.max(longest_ttl),
                });
            }
        }
        let lanes = lanes.into_iter().map(|(lane, leaves)| Lane { tree: Tree::new(leaves), ..lane });
        Self { lanes: lanes.collect(), loose }
    }

    /// The admissible expiries for `read`, which must have known the settings of `floor`, of the same instances: each operation
    /// that had begun by then and is not surely superseded by one of those may have set the expiry.
    pub(crate) fn range(&self, index: &Index<'_>, read: &Read, floor: &Floor<'_>) -> ExpiryRange {
        let mut range = Extremes::NONE;
        let known: Vec<Option<Moment>> =
            floor.by_lane().map(|id| id.map(|id| index.operation(id).invoke)).collect();
        let (first, second) = two_latest(&known);
        for (place, lane) in self.lanes.iter().enumerate().filter(|(_, lane)| !lane.ends.is_empty()) {
            let own = known[place];
            // Of all other instances together.
            let others = if own == first { second } else { first }.map(|invoke| invoke.t);
            let superseded = |end: &Moment| {
                own.is_some_and(|invoke| *end < invoke)
                    || others.is_some_and(|invoke| end.t.saturating_add(index.slack()) < invoke)
            };
            let first = lane.ends.partition_point(superseded);
            let after_last = lane.invokes.partition_point(|invoke| *invoke < read.to);
            range.include(lane.tree.of(first, after_last));
        }
        let loose = self.loose.partition_point(|loose| loose.invoke < read.to).checked_sub(1);
        if let Some(Loose { earliest, longest_ttl: (ttl, id), .. }) = loose.map(|last| self.loose[last]) {
            // It may have taken effect just now.
            let latest = read.to.t.saturating_add(ttl);
            range.include(Extremes { earliest, latest: (latest, id) });
        }
        range.widened(index.faults.clock_off(read.to.t))
    }
}

/// The latest of these moments, and the latest of the rest. No two moments of a history are equal.
fn two_latest(moments: &[Option<Moment>]) -> (Option<Moment>, Option<Moment>) {
    moments.iter().fold((None, None), |(first, second), moment| match *moment {
        moment if moment > first => (moment, first),
        moment => (first, second.max(moment)),
    })
}

/// A segment tree over ranges of expiries.
#[derive(Clone, Default)]
struct Tree {
    count: usize,
    nodes: Vec<Extremes>,
}

impl Tree {
    fn new(leaves: Vec<Extremes>) -> Self {
        let count = leaves.len();
        let mut nodes = vec![Extremes::NONE; count];
        nodes.extend(leaves);
        for node in (1..count).rev() {
            let mut both = nodes[2 * node];
            both.include(nodes[2 * node + 1]);
            nodes[node] = both;
        }
        Self { count, nodes }
    }

    /// The extremes of the leaves from `first` to before `after_last`.
    fn of(&self, first: usize, after_last: usize) -> Extremes {
        let mut range = Extremes::NONE;
        let (mut from, mut to) = (first + self.count, after_last + self.count);
        while from < to {
            if from % 2 == 1 {
                range.include(self.nodes[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                range.include(self.nodes[to]);
            }
            from /= 2;
            to /= 2;
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_finds_the_extremes_of_every_stretch() {
        let values = [5_u64, 1, 9, 3, 7, 2, 8];
        let leaf = |(id, v): (usize, &u64)| Extremes { earliest: (*v, id), latest: (*v, id) };
        let tree = Tree::new(values.iter().enumerate().map(leaf).collect());
        for first in 0..=values.len() {
            for after_last in first..=values.len() {
                let found = tree.of(first, after_last).widened(0);
                let stretch = &values[first..after_last];
                assert_eq!(found.earliest.map(|(v, _)| v), stretch.iter().min().copied());
                assert_eq!(found.latest.map(|(v, _)| v), stretch.iter().max().copied());
            }
        }
    }
}

//! Everything that sets a session's expiry, arranged so that questions about all that began by a time are answered in O(log n).

use super::operation::Operation;
use crate::history::ServedBy;
use crate::load::Kind;

/// Everything that sets a session's expiry and did not surely fail, in the order of the starts.
#[derive(Debug, Default)]
pub(crate) struct Setters {
    all: Vec<Setter>,
    /// For a stretch of them the earliest expiry, in a segment tree.
    expires: Vec<u64>,
    /// The longest that any took that was over.
    longest: u64,
}

/// Something that sets the session's expiry.
#[derive(Clone, Copy, Debug)]
struct Setter {
    start: u64,
    /// When it was over; what may yet happen never is.
    over: u64,
    /// The latest end so far, of all; of those that Redis did not surely have by their ends; and of those that it had by then, but
    /// maybe not at once.
    overs: Latest,
    kept_back: Latest,
    slow: Latest,
    /// The earliest expiry so far of those that are never over.
    loose: Option<u64>,
}

/// The latest end of all instances, with the instance; and the latest end of all other instances.
#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    first: Option<(u64, u16)>,
    of_others: Option<u64>,
}

impl Latest {
    fn add(&mut self, over: u64, instance: u16) {
        match self.first {
            Some((first, of)) if of == instance => self.first = Some((first.max(over), of)),
            Some((first, _)) if first < over => {
                self.of_others = Some(first);
                self.first = Some((over, instance));
            }
            Some(_) => self.of_others = self.of_others.max(Some(over)),
            None => self.first = Some((over, instance)),
        }
    }

    /// The latest end of the instances that are not this one.
    fn but(&self, own: u16) -> Option<u64> {
        match self.first {
            Some((_, of)) if of == own => self.of_others,
            Some((over, _)) => Some(over),
            None => None,
        }
    }
}

impl Setters {
    /// Of a session's operations, which are in the order of their starts. What took longer than `slack` Redis may not have had at
    /// once.
    pub(crate) fn new<'a>(operations: impl Iterator<Item = &'a Operation>, slack: u64) -> Self {
        let sets = operations.filter(|operation| {
            matches!(operation.kind, Kind::Create | Kind::Touch) && !operation.never_happened()
        });
        let mut all: Vec<Setter> = Vec::new();
        let mut leaves = Vec::new();
        let mut longest = 0;
        for operation in sets {
            let start = operation.invoke.t;
            let over = operation.end.filter(|_| operation.acknowledged()).map(|end| end.t);
            let expires = start.saturating_add(operation.ttl.unwrap_or(u64::MAX));
            let last: Option<&Setter> = all.last();
            let (mut overs, mut kept_back, mut slow) =
                last.map_or_else(Default::default, |last| (last.overs, last.kept_back, last.slow));
            let mut loose = last.and_then(|last| last.loose);
            match over {
                Some(over) => longest = longest.max(over.saturating_sub(start)),
                None => loose = Some(loose.map_or(expires, |earliest: u64| earliest.min(expires))),
            }
            let over = over.unwrap_or(u64::MAX);
            overs.add(over, operation.instance);
            if operation.served_by() != Some(ServedBy::Redis) {
                kept_back.add(over, operation.instance);
            } else if over.saturating_sub(start) > slack {
                slow.add(over, operation.instance);
            }
            all.push(Setter { start, over, overs, kept_back, slow, loose });
            leaves.push(expires);
        }
        let mut expires = vec![u64::MAX; leaves.len()];
        expires.extend(&leaves);
        for node in (1..leaves.len()).rev() {
            expires[node] = expires[2 * node].min(expires[2 * node + 1]);
        }
        Self { all, expires, longest }
    }

    /// Whether one of those that began by `until`, and was not over before `since`, may expire by `t`.
    pub(crate) fn may_expire(&self, since: u64, until: u64, t: u64) -> bool {
        let place = |start: u64| self.all.partition_point(|setter| setter.start < start);
        let (first, sure) = (place(since.saturating_sub(self.longest)), place(since));
        let begun = self.begun(until);
        let leaves = &self.expires[self.all.len()..];
        // The few that began before `since`, and may have been over before it, are looked at one by one; of those that are never
        // over, which may have begun at any time, the earliest expiry is known.
        let before = sure.min(begun);
        let early = (first..before).filter(|place| self.all[*place].over >= since).map(|place| leaves[place]);
        let loose = before.checked_sub(1).and_then(|last| self.all[last].loose);
        let later = self.earliest(sure, begun);
        early.chain(loose).chain(later).any(|expires| expires <= t)
    }

    /// Of those that began by `until` on other instances the latest end.
    pub(crate) fn over_of_others(&self, own: u16, until: u64) -> Option<u64> {
        self.begun(until).checked_sub(1).and_then(|last| self.all[last].overs.but(own))
    }

    /// The same of those that Redis did not surely have by their ends.
    pub(crate) fn kept_back_by_others(&self, own: u16, until: u64) -> Option<u64> {
        self.begun(until).checked_sub(1).and_then(|last| self.all[last].kept_back.but(own))
    }

    /// The same of those that Redis had by their ends, but maybe not at once.
    pub(crate) fn slow_of_others(&self, own: u16, until: u64) -> Option<u64> {
        self.begun(until).checked_sub(1).and_then(|last| self.all[last].slow.but(own))
    }

    /// How many began by `until`.
    fn begun(&self, until: u64) -> usize {
        self.all.partition_point(|setter| setter.start <= until)
    }

    /// The earliest expiry of those from `first` to before `after_last`.
    fn earliest(&self, first: usize, after_last: usize) -> Option<u64> {
        let count = self.all.len();
        let (mut from, mut to) = (first + count, after_last + count);
        let mut earliest = None;
        let mut add = |expires: u64| earliest = Some(earliest.map_or(expires, |e: u64| e.min(expires)));
        while from < to {
            if from % 2 == 1 {
                add(self.expires[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                add(self.expires[to]);
            }
            from /= 2;
            to /= 2;
        }
        earliest
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::check::operation::{Ending, Moment};
    use crate::history::{Saw, SessionId};
    use crate::seed::fork;

    fn setter(start: u64, took: u64, ttl: u64, instance: u16, ending: Ending) -> Operation {
        Operation {
            id: start,
            instance,
            kind: Kind::Touch,
            session: SessionId(0),
            write: None,
            ttl: Some(ttl),
            due: start,
            invoke: Moment { t: start, entry: 0 },
            end: Some(Moment { t: start + took, entry: 0 }),
            ending,
            away: false,
        }
    }

    const SLACK: u64 = 3;

    #[test]
    fn answers_are_those_of_looking_at_each() {
        let random = &mut fork(1, "setters");
        let by = |by| Ending::Acknowledged { by, saw: Saw::Done };
        let endings = [by(ServedBy::Redis), by(ServedBy::Local), Ending::Unknown, Ending::Failed];
        for _ in 0..2_000 {
            let mut t = 0;
            let made: Vec<Operation> = (0..random.random_range(0..12))
                .map(|_| {
                    t += random.random_range(0..5);
                    let (took, ttl) = (random.random_range(0..6), random.random_range(0..40));
                    let ending = endings[random.random_range(0..endings.len())];
                    setter(t, took, ttl, random.random_range(0..3), ending)
                })
                .collect();
            let setters = Setters::new(made.iter(), SLACK);
            let begun =
                |until: u64| made.iter().filter(move |one| !one.never_happened() && one.invoke.t <= until);
            let over = |one: &Operation| if one.acknowledged() { one.end.unwrap().t } else { u64::MAX };
            let (since, until, t) =
                (random.random_range(0..40), random.random_range(0..60), random.random_range(0..60));
            let may_expire =
                begun(until).filter(|one| over(one) >= since).any(|one| one.invoke.t + one.ttl.unwrap() <= t);
            assert_eq!(setters.may_expire(since, until, t), may_expire);
            let others = || begun(until).filter(|one| one.instance != 1);
            assert_eq!(setters.over_of_others(1, until), others().map(over).max());
            let (slow, kept_back): (Vec<_>, Vec<_>) =
                others().partition(|one| one.served_by() == Some(ServedBy::Redis));
            assert_eq!(setters.kept_back_by_others(1, until), kept_back.into_iter().map(over).max());
            let slow = slow.into_iter().filter(|one| over(one) - one.invoke.t > SLACK);
            assert_eq!(setters.slow_of_others(1, until), slow.map(over).max());
        }
    }
}

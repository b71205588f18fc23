//! The order and the pace in which a resync brings sessions to Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::settings::ResyncSettings;

/// Sessions that wait to be brought to Redis, one place each.
#[derive(Debug, Default)]
pub struct Queue {
    order: BTreeSet<(Rank, Arc<str>)>,
    ranks: BTreeMap<Arc<str>, Rank>,
}

/// How urgent a session is. The order is: what was destroyed, what was used lately, what expires soon, what was refused before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Destroyed then (milliseconds since 1970).
    Destroyed(u64),
    /// Written or read while it waited.
    Wanted,
    /// Expires then (milliseconds since 1970).
    Expires(u64),
    /// Refused by Redis before.
    Refused,
}

/// How fast to go: faster with every batch that went well, half as fast after one that did not (additive-increase /
/// multiplicative-decrease, with a factor for the increase so that a short backlog is gone in a blink).
#[derive(Clone, Debug)]
pub struct Pace {
    settings: ResyncSettings,
    rate: f64,
}

impl Queue {
    /// Puts a session into its place; it leaves the one that it had.
    pub fn insert(&mut self, id: &Arc<str>, rank: Rank) {
        self.remove(id);
        self.ranks.insert(Arc::clone(id), rank);
        self.order.insert((rank, Arc::clone(id)));
    }

    /// Takes a session out, wherever it stands.
    pub fn remove(&mut self, id: &Arc<str>) {
        if let Some(rank) = self.ranks.remove(id) {
            self.order.remove(&(rank, Arc::clone(id)));
        }
    }

    /// Takes out the most urgent session.
    pub fn pop(&mut self) -> Option<(Arc<str>, Rank)> {
        let (rank, id) = self.order.pop_first()?;
        self.ranks.remove(&id);
        Some((id, rank))
    }

    /// The rank of the most urgent session.
    pub fn first(&self) -> Option<Rank> {
        self.order.first().map(|(rank, _)| *rank)
    }

    /// How many of the sessions were refused before.
    pub fn refused(&self) -> usize {
        self.order.iter().rev().take_while(|(rank, _)| *rank == Rank::Refused).count()
    }

    /// How many sessions wait.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }
}

impl Pace {
    /// The pace of a resync that begins.
    pub fn new(settings: &ResyncSettings) -> Self {
        Self { rate: settings.rate_start, settings: settings.clone() }
    }

    /// How many sessions to bring at once.
    pub fn batch(&self) -> usize {
        self.settings.batch as usize
    }

    /// How long a batch of so many sessions should take.
    pub fn interval(&self, sessions: usize) -> Duration {
        Duration::from_secs_f64(sessions as f64 / self.rate.max(1.0))
    }

    /// A batch arrived.
    pub fn good(&mut self) {
        self.rate = (self.rate * self.settings.growth).min(self.settings.rate_max);
    }

    /// A session of a batch did not arrive.
    pub fn bad(&mut self) {
        // Not without end: what is left must still arrive soon once the trouble is over.
        self.rate = (self.rate / 2.0).max(self.settings.rate_start / 4.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_first_then_what_is_wanted_then_what_expires_soon() {
        let mut queue = Queue::default();
        let ranks = [
            Rank::Refused,
            Rank::Expires(20),
            Rank::Destroyed(9),
            Rank::Expires(10),
            Rank::Wanted,
            Rank::Destroyed(5),
        ];
        for (name, rank) in ["a", "b", "c", "d", "e", "f"].into_iter().zip(ranks) {
            queue.insert(&Arc::from(name), rank);
        }
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(id, _)| id.to_string()).collect();
        assert_eq!(order, "fcedba");
    }

    #[test]
    fn a_session_has_one_place() {
        let mut queue = Queue::default();
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        queue.insert(&a, Rank::Expires(2));
        queue.insert(&b, Rank::Expires(1));
        queue.insert(&a, Rank::Wanted);
        assert_eq!((queue.len(), queue.first()), (2, Some(Rank::Wanted)));
        queue.remove(&b);
        assert_eq!(queue.pop(), Some((a, Rank::Wanted)));
        assert!(queue.is_empty() && queue.pop().is_none());
    }

    #[test]
    fn five_hundred_sessions_are_brought_in_well_under_two_seconds() {
        let settings = ResyncSettings::default();
        let (mut pace, mut left, mut took) = (Pace::new(&settings), 500, Duration::ZERO);
        while left > 0 {
            let batch = pace.batch().min(left);
            took += pace.interval(batch);
            left -= batch;
            pace.good();
        }
        assert!(took < Duration::from_secs(1), "{took:?}");
    }

    #[test]
    fn the_pace_keeps_to_its_cap_and_gives_way() {
        let settings =
            ResyncSettings { rate_start: 100.0, rate_max: 200.0, growth: 2.0, ..Default::default() };
        let mut pace = Pace::new(&settings);
        (0..9).for_each(|_| pace.good());
        assert_eq!(pace.interval(20), Duration::from_millis(100));
        pace.bad();
        assert_eq!(pace.interval(20), Duration::from_millis(200));
    }
}

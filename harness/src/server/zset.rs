//! Sorted sets: members with scores, ordered by score and then by member.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::value::OVERHEAD;

/// A score; never not-a-number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score(pub(crate) f64);

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

/// A sorted set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zset {
    scores: BTreeMap<Vec<u8>, f64>,
    order: BTreeSet<(Score, Vec<u8>)>,
    bytes: usize,
}

impl Zset {
    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// Members with their scores, by member.
    pub(crate) fn scores(&self) -> &BTreeMap<Vec<u8>, f64> {
        &self.scores
    }

    /// Members with their scores, lowest score first.
    pub(crate) fn ordered(&self) -> impl DoubleEndedIterator<Item = (&Vec<u8>, f64)> {
        self.order.iter().map(|(score, member)| (member, score.0))
    }

    /// Sets a member's score; whether the member is new.
    pub(crate) fn insert(&mut self, member: &[u8], score: f64) -> bool {
        let old = self.scores.insert(member.to_vec(), score);
        match old {
            Some(old) => {
                self.order.remove(&(Score(old), member.to_vec()));
            }
            None => self.bytes += 2 * (member.len() + OVERHEAD),
        }
        self.order.insert((Score(score), member.to_vec()));
        old.is_none()
    }

    pub(crate) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.remove(member)?;
        self.order.remove(&(Score(score), member.to_vec()));
        self.bytes -= 2 * (member.len() + OVERHEAD);
        Some(score)
    }

    /// How many members come before this one.
    pub(crate) fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.order.range(..(Score(score), member.to_vec())).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_the_order_of_their_scores() {
        let mut zset = Zset::default();
        for (member, score) in [("c", 1.0), ("a", 2.0), ("b", 1.0), ("a", 0.5), ("d", f64::INFINITY)] {
            zset.insert(member.as_bytes(), score);
        }
        let members: Vec<_> = zset.ordered().map(|(member, _)| member.clone()).collect();
        assert_eq!(members, [b"a", b"b", b"c", b"d"]);
        assert_eq!(zset.rank(b"c"), Some(2));
        for member in members {
            assert!(zset.remove(&member).is_some());
        }
        assert_eq!((zset.bytes(), zset.ordered().count()), (0, 0));
    }
}

//! The situations that were met, added up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cell, Met, each, unreachable};
use crate::history::History;

/// How many operations began in each situation, in one run or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coverage(BTreeMap<Cell, u64>);

impl Coverage {
    /// The situations of one run.
    pub fn of(history: &History) -> Self {
        let mut coverage = Self::default();
        each(history, |met| coverage.see(&met));
        coverage
    }

    /// Counts the situation in which an operation began.
    pub fn see(&mut self, met: &Met<'_>) {
        for fault in met.faults.iter().copied() {
            let cell = Cell { fault, breaker: met.breaker, mode: met.mode, operation: met.operation };
            *self.0.entry(cell).or_insert(0) += 1;
        }
    }

    /// Those of many runs together.
    pub fn sum<'a>(runs: impl IntoIterator<Item = &'a Self>) -> Self {
        runs.into_iter().fold(Self::default(), |mut sum, run| {
            sum.add(run);
            sum
        })
    }

    /// Adds those of another run, or of another machine's runs.
    pub fn add(&mut self, other: &Self) {
        for (cell, count) in &other.0 {
            let sum = self.0.entry(*cell).or_insert(0);
            *sum = sum.saturating_add(*count);
        }
    }

    /// How many operations began in this situation.
    pub fn count(&self, cell: Cell) -> u64 {
        self.0.get(&cell).copied().unwrap_or(0)
    }

    /// Situations that can be reached and were.
    pub fn covered(&self) -> usize {
        reachable().filter(|cell| self.count(*cell) > 0).count()
    }

    /// Situations that can be reached and were not.
    pub fn empty(&self) -> Vec<Cell> {
        reachable().filter(|cell| self.count(*cell) == 0).collect()
    }

    /// Situations that were met though none of them should be: the rule that says so is wrong, or the client is none that it
    /// speaks of.
    pub fn unexpected(&self) -> Vec<Cell> {
        let met = self.0.iter().filter(|(_, count)| **count > 0);
        met.map(|(cell, _)| *cell).filter(|cell| unreachable(*cell).is_some()).collect()
    }

    /// Covered situations in thousandths of those that can be reached, rounded down: 1000 means every one.
    pub fn thousandths(&self) -> usize {
        self.covered() * 1000 / reachable().count().max(1)
    }

    /// How many situations can be reached.
    pub fn reachable() -> usize {
        reachable().count()
    }
}

fn reachable() -> impl Iterator<Item = Cell> {
    Cell::all().into_iter().filter(|cell| unreachable(*cell).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn with(cells: &[(&str, u64)]) -> Coverage {
        Coverage(cells.iter().map(|(cell, count)| (cell.parse().unwrap(), *count)).collect())
    }

    #[test]
    fn each_operation_counts_in_the_situation_that_it_began_in() {
        let expected = with(&[("kill/closed/redis/update", 1), ("kill/open/local/get", 2)]);
        assert_eq!(Coverage::of(&samples::history()), expected);
    }

    #[test]
    fn runs_and_machines_add_up() {
        let mut sum = with(&[("kill/open/local/get", 2)]);
        sum.add(&with(&[("kill/open/local/get", 3), ("flush/closed/redis/ttl", 1)]));
        assert_eq!(sum, with(&[("flush/closed/redis/ttl", 1), ("kill/open/local/get", 5)]));
        assert_eq!((sum.covered(), sum.empty().len()), (2, Coverage::reachable() - 2));
    }

    #[test]
    fn what_cannot_be_reached_counts_on_neither_side_and_is_told_when_it_was() {
        let odd = with(&[("kill/open/redis/get", 1)]);
        assert_eq!((odd.covered(), odd.thousandths()), (0, 0));
        assert_eq!(odd.unexpected(), ["kill/open/redis/get".parse().unwrap()]);
        assert_eq!(Coverage::default().empty().len(), Coverage::reachable());
    }

    #[test]
    fn only_every_one_is_all_of_them() {
        let mut all = Coverage(reachable().map(|cell| (cell, 1)).collect());
        assert_eq!((all.thousandths(), all.empty()), (1000, Vec::new()));
        let last = reachable().last().unwrap();
        all.0.remove(&last);
        assert_eq!(all.empty(), [last]);
        assert!(all.thousandths() < 1000);
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        let coverage = with(&[("kill/open/local/get", 2), ("slow_close/half-open/local/ttl", 7)]);
        let text = serde_json::to_string(&coverage).unwrap();
        assert_eq!(text, r#"{"kill/open/local/get":2,"slow_close/half-open/local/ttl":7}"#);
        assert_eq!(serde_json::from_str::<Coverage>(&text).unwrap(), coverage);
    }
}

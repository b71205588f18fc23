//! How many orders of a case are tried.

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Every order that there is. More than this many are no longer a small case.
const ALL: usize = 100_000;

/// How many orders chance picks of a larger case, and from where. The seed is fixed, so that a failure is one on every machine.
const SOME: usize = 2_000;
const SEED: u64 = 7;

/// Changes of the running thread at which an error may need to happen: most need two or three.
const DEPTH: usize = 4;

/// Tries a small case in all orders.
pub(crate) fn in_every_order(case: impl Fn() + Send + Sync + 'static) {
    let tried = Runner::new(DfsScheduler::new(Some(ALL), false), Config::new()).run(case);
    assert!(tried < ALL, "too many orders to try them all");
    assert!(tried > 10, "only {tried} orders: nothing runs side by side");
}

/// Tries a larger case in many orders: half of them by pure chance, half by one that looks for few, unlucky changes.
pub(crate) fn in_many_orders(case: impl Fn() + Clone + Send + Sync + 'static) {
    Runner::new(RandomScheduler::new_from_seed(SEED, SOME), Config::new()).run(case.clone());
    Runner::new(PctScheduler::new_from_seed(SEED, DEPTH, SOME), Config::new()).run(case);
}

//! Processes under test: sound ones, and every way of being bad. A bad subject ends its run as invalid, in time, with the reason
//! and what it said last; and no process of any outlives its run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad;
mod conformance;
mod leftovers;
mod several;
mod stage;
mod told;

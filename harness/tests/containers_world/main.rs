//! The containers world on real containers: each fault is what it says, and nothing is left behind.
//!
//! Without Docker these tests say so and pass as skipped; with `CI` set its absence is a failure.
#![cfg(feature = "containers")]

mod faults;
mod leftovers;
mod overlap;
mod process;
mod stage;

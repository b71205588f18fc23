//! The local world on a real server process: each fault is what it says, and nothing is left behind.
//!
//! Without redis-server or valkey-server these tests say so and pass as skipped; with `CI` set its absence is a failure.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod faults;
mod foreign;
mod given;
mod leftovers;
mod login;
mod overlap;
mod process;
mod program;
mod sentinel;
mod server_faults;
mod several;
mod stage;
mod tls;

//! Every scenario file is a test case in every world: in virtual time (`sim::`), against a redis-server of this machine behind Squall's own fault proxy
//! (`local::`), and against real Redis behind real Toxiproxy in Docker (`containers::`). One file, three worlds, one verdict; and
//! what a breaker does against a real Redis must be something that it does in virtual time.
//!
//! `cargo test -p squall --test scenarios outage` runs those whose name has `outage`, `local::` those of one world; the module
//! `squall::testing` says the rest.

use std::process::ExitCode;

use squall::testing::{self, Options};

fn main() -> ExitCode {
    testing::main(Options {
        reports: "../reports".into(),
        breakers_as_in_sim: true,
        again_alone: true,
        ..Options::reference("../scenarios")
    })
}

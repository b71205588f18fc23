//! Every scenario on redis-rs' `ConnectionManager`, which passes some and fails others: `expected.csv` says which.

use std::process::ExitCode;
use std::sync::Arc;

use squall::testing::{self, Options};
use squall::world::Kind;
use squall_redis_rs::RedisRs;

fn main() -> ExitCode {
    testing::main(Options {
        worlds: vec![Kind::Local],
        expected: Some("expected.csv".into()),
        again_alone: true,
        ..Options::new(Arc::new(RedisRs), "../../scenarios")
    })
}

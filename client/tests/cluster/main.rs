//! A real cluster of three primaries and three replicas, and sessions that go on whatever becomes of its nodes.

#[expect(dead_code, reason = "each test file uses its part")]
#[path = "../redis/mod.rs"]
mod redis;

mod failover;
mod seeds;
mod slots;
mod stage;

//! A real cluster of three primaries and three replicas, and sessions that go on whatever becomes of its nodes.

#[path = "../pki/mod.rs"]
mod pki;
#[expect(dead_code, reason = "each test file uses its part")]
#[path = "../redis/mod.rs"]
mod redis;

mod failover;
mod login;
mod seeds;
mod slots;
mod stage;

//! Real sentinels, a primary and a replica: sessions go on across a failover, whatever a sentinel says, and however long it takes
//! to say it.

#[path = "../pki/mod.rs"]
mod pki;
#[path = "../redis/mod.rs"]
#[expect(dead_code, reason = "each test binary uses its part")]
mod redis;
mod watcher;

mod address;
mod failover;
mod silence;

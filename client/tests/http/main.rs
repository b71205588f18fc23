//! The routes over HTTP, asked by a plain client over TCP, with a real redis-server behind them.

mod access;
mod bad;
mod description;
mod outage;
#[expect(dead_code, reason = "each test file uses its part")]
#[path = "../redis/mod.rs"]
mod redis;
mod routes;
mod stage;

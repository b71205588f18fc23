//! A Redis server inside this process: real commands, real protocol, on streams and a clock that the caller provides.
//!
//! ```text
//! bytes -> request (parser) -> exec (dispatcher) -> commands/ (one row and one function each) -> reply -> bytes
//!                                   |                      |
//!                                  acl, evict            db, lua/
//! ```
//!
//! Everything but `shell` and `connection` is pure: the time comes with every command, chance comes from the seed, and nothing
//! iterates in an order that differs between runs. So a simulated world in which it serves is repeatable.

mod acl;
mod call;
mod command;
mod commands;
mod connection;
mod db;
mod evict;
mod exec;
mod key;
mod lua;
mod number;
mod pace;
mod random;
mod reply;
mod request;
mod script;
#[cfg(test)]
mod serving_tests;
mod session;
mod settings;
mod sha256;
mod shell;
mod state;
#[cfg(test)]
mod testing;
mod value;
mod zset;

pub use settings::Policy;
pub(crate) use sha256::hex_digest;
pub use shell::{Clock, Config, Server};

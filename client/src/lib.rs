//! A resilient session client for Redis.

pub mod clock;
pub mod core;

pub use clock::Clock;
pub use core::time::Time;

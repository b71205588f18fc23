//! The sans-IO core: no socket, no clock, no source of chance. Time and randomness are arguments.

pub mod backoff;
pub mod breaker;
pub mod circuits;
pub mod class;
pub mod encoding;
pub mod evictions;
pub mod foreground;
pub mod glob;
pub mod health;
pub mod local;
pub mod offset;
pub mod push;
pub mod ramp;
pub mod record;
pub mod resync;
pub mod retry;
pub mod saved;
pub mod sessions;
pub mod time;
pub mod version;
pub mod window;

//! The sans-IO core: time and randomness are arguments.

pub mod time;

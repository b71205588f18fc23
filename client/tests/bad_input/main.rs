//! Every kind of bad input and bad circumstance ends in a clear error, or in the degradation that the guide names: counted and
//! told once, within the deadline, and over when its cause is. `docs/bad-input.md` has the table.

#[path = "../pki/mod.rs"]
mod pki;
#[expect(dead_code, reason = "each test binary uses its part")]
#[path = "../redis/mod.rs"]
mod redis;
mod states;
mod support;

mod clearing;
mod crooked;
mod disk;
mod ids;
mod login;
mod memory;
mod records;
mod replies;
mod servers;
mod settings;
mod shutdown;
mod sizes;
mod ttl;
mod values;

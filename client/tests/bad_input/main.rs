//! Every kind of bad input and bad circumstance ends in a clear error, or in the degradation that the guide names: counted and
//! told once, within the deadline, and over when its cause is. `docs/bad-input.md` has the table.

#[expect(dead_code, reason = "each test binary uses its part")]
#[path = "../pki/mod.rs"]
mod pki;
#[expect(dead_code, reason = "each test binary uses its part")]
#[path = "../redis/mod.rs"]
mod redis;
#[expect(dead_code, reason = "not every part has its tests yet")]
mod support;

mod crooked;
mod ids;
mod login;
mod memory;
mod records;
mod replies;
mod servers;
mod sizes;
mod ttl;
mod values;

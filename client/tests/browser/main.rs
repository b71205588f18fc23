//! The chat of the examples in a real browser, through outages of Redis and restarts of its workers.
//!
//! It needs chromium and chromedriver: `apt-get install chromium chromium-driver`. Without them these tests say so and pass as
//! skipped; with `CI` set their absence is a failure. What was seen is in `target/screenshots`, or in the folder that
//! `SQUALL_SCREENSHOTS` names.

mod browser;
mod handshake;
#[expect(dead_code, reason = "the tests of the routes use more of it")]
#[path = "../http/stage.rs"]
mod http;
mod outage;
mod phone;
#[expect(dead_code, reason = "each test file uses its part")]
#[path = "../redis/mod.rs"]
mod redis;
mod worker;

//! The lock around the breakers, the teller of events and the single flight, in every order in which threads and tasks can run.
//!
//! The files below are those of the client itself, compiled once more: here their locks, tasks and notifications are shuttle's, which
//! decides who runs next. A small case is tried in all orders there are, a larger one in many that chance picks; a failure prints
//! the order, for `shuttle::replay`. What is blocked for ever is a failure too. The breaker itself is the library's: it is
//! pure, and only ever used under its lock.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

// By this name the client's files find `sync` and `spawn` below.
extern crate self as tokio;

#[path = "../../src/breakers.rs"]
#[expect(dead_code, reason = "the gateway uses all of it")]
mod breakers;
#[path = "../../src/cache/flights.rs"]
#[expect(dead_code, unreachable_pub, reason = "the cache uses all of it, and others may")]
mod flights;
#[path = "../../src/teller.rs"]
mod teller;

mod answer {
    pub(crate) use squall_client::SessionError;
}
mod core {
    pub(crate) use squall_client::core::{breaker, circuits, class, time};
}
mod event {
    pub(crate) use squall_client::event::{Event, Observer};
}
mod lock {
    use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

mod settings {
    pub(crate) use squall_client::settings::BreakerSettings;
}

mod calls;
mod changes;
mod clock;
mod loads;
mod orders;
mod probes;
mod stage;
mod sync;

pub(crate) use shuttle::future::spawn;

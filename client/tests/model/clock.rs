//! A clock that stands until it is told to go on, in place of the client's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::core::time::Time;

#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn now(&self) -> Time {
        Time::from_nanos(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn go_on(&self, ms: u64) {
        self.0.fetch_add(ms * 1_000_000, Ordering::SeqCst);
    }
}

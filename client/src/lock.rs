//! The lock of the parts that the model check compiles with a lock of its own: see `tests/model`.

use std::sync::PoisonError;

pub(crate) use std::sync::{Mutex, MutexGuard};

/// Takes a lock. Who panicked while holding it left nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

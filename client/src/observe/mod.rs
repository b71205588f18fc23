//! What operators see: metrics, a log, and a line of health from time to time. Each is an [`Observer`], so a client has those that it is given.

pub mod log;
pub mod metrics;
mod operation;

use std::sync::Arc;

use crate::event::{Event, Observer};

pub use metrics::Metrics;

/// One observer that tells several, in their order.
pub fn all(observers: Vec<Observer>) -> Observer {
    Arc::new(move |event: &Event| observers.iter().for_each(|observer| observer(event)))
}

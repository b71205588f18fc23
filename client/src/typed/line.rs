//! Tells of each session that is stored, loaded, extended or deleted: a line in the log, without its id.

use std::time::Duration;

use crate::answer::{Ack, ServedBy};
use crate::event::{Event, SessionLine};
use crate::store::Store;

use super::Session;

impl<T> Session<T> {
    /// What a line says of it.
    pub(super) fn line(&self, what: &'static str) -> SessionLine {
        let Self { ttl, messages, served_by, .. } = self;
        SessionLine { what, ttl: Some(*ttl), messages: Some(*messages), served_by: *served_by }
    }
}

/// Of one of which no more is known.
pub(super) fn plain(what: &'static str, ttl: Option<Duration>, ack: Ack) -> SessionLine {
    SessionLine { what, ttl, messages: None, served_by: ack.served_by }
}

/// Of one that begins.
pub(super) fn new(ttl: Duration, served_by: ServedBy) -> SessionLine {
    SessionLine { what: STORED, ttl: Some(ttl), messages: Some(0), served_by }
}

pub(super) fn tell(store: &Store, line: SessionLine) {
    (store.observer)(&Event::Session { at: store.clock.now(), line });
}

pub(super) const STORED: &str = "stored";
pub(super) const LOADED: &str = "loaded";
pub(super) const EXTENDED: &str = "extended";
pub(super) const DELETED: &str = "deleted";

//! Operations that are parts of a longer one, which must be over by a time that it knows.

use std::time::Duration;

use bytes::Bytes;

use crate::answer::{Ack, Lookup, SessionError};
use crate::client::SessionClient;
use crate::core::sessions::Write;
use crate::core::time::Time;
use crate::event::Operation;

impl SessionClient {
    /// As [`get`](Self::get), by `end`.
    pub(crate) async fn get_by(&self, id: &str, end: Time) -> Result<Lookup, SessionError> {
        self.store().told(Operation::Get, self.read(id, end)).await
    }

    /// As [`create`](Self::create), by `end`.
    pub(crate) async fn create_by(
        &self,
        id: &str,
        value: Bytes,
        ttl: Duration,
        end: Time,
    ) -> Result<Ack, SessionError> {
        self.store().told(Operation::Create, self.write(id, Write::Create { payload: value, ttl }, end)).await
    }

    /// As [`update`](Self::update), by `end`.
    pub(crate) async fn update_by(&self, id: &str, value: Bytes, end: Time) -> Result<Ack, SessionError> {
        self.store().told(Operation::Update, self.write(id, Write::Update { payload: value }, end)).await
    }

    /// As [`touch`](Self::touch), by `end`.
    pub(crate) async fn touch_by(&self, id: &str, ttl: Duration, end: Time) -> Result<Ack, SessionError> {
        self.store().told(Operation::Touch, self.write(id, Write::Touch { ttl }, end)).await
    }
}

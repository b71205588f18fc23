//! What a connection learns of the server before a call uses it.

use std::time::Duration;

use crate::core::time::Time;

/// What Redis says of itself when a connection opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// Redis's own clock, in microseconds since 1970, when it answered.
    pub(crate) server_us: u64,
    /// Our clock when it was asked and when the answer was there.
    pub(crate) asked: Time,
    /// See `asked`.
    pub(crate) answered: Time,
    /// Names this process of Redis: another one may have forgotten everything. When this user may not know, the server's address
    /// where another may take its place, and empty otherwise.
    pub(crate) run_id: String,
    /// How long that process had run by then, in whole seconds; nothing when this user may not know.
    pub(crate) up: Option<Duration>,
}

//! The session of somebody who chats: it counts messages, and numbers them, wherever it is served.

use serde::{Deserialize, Serialize};
use squall_client::{Lookup, ServedBy, Session, SessionError};

use crate::Worker;

/// What the chat keeps in a session. Counts and times the session has by itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Guest {
    /// What others see.
    pub(crate) name: String,
}

/// What the page shows of a session, each second.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    session: String,
    name: String,
    message_count: u64,
    sequence: u64,
    remaining_ttl_seconds: u64,
    served_by: ServedBy,
}

impl Shown {
    pub(crate) fn of(session: Session<Guest>) -> Self {
        Self {
            session: session.id,
            name: session.data.name,
            message_count: session.messages,
            sequence: session.sequence,
            remaining_ttl_seconds: session.ttl.as_secs_f64().round() as u64,
            served_by: session.served_by,
        }
    }
}

impl Worker {
    /// Makes a session that nobody had before. That needs no Redis.
    pub(crate) async fn welcome(&self, id: &str) -> Result<(), SessionError> {
        let name = format!("guest {}", &id[..4]);
        // Of another random text than the id, which lets its owner in.
        let name = crate::random::text().map_or(name, |text| format!("guest {}", &text[..4]));
        self.store.create(id, None, &Guest { name }, self.session_ttl).await.map(|_| ())
    }

    /// The session as it is; a new one under this id if its time was over.
    pub(crate) async fn look(&self, id: &str) -> Result<Session<Guest>, SessionError> {
        match self.store.get(id).await {
            Ok(Lookup::Found { session, .. }) => Ok(session),
            Ok(Lookup::Unknown { because }) => Err(SessionError::Unavailable(because)),
            // `open` keeps what is damaged aside.
            Ok(Lookup::Absent { .. }) | Err(SessionError::Corrupt(_)) => {
                Ok(self.store.open(id, None, self.session_ttl).await?.0)
            }
            Err(error) => Err(error),
        }
    }

    /// Counts a message.
    pub(crate) async fn count(&self, id: &str) -> Result<Session<Guest>, SessionError> {
        match self.store.message(id).await {
            Err(SessionError::NoSession | SessionError::Corrupt(_)) => {
                self.look(id).await?;
                self.store.message(id).await
            }
            counted => counted,
        }
    }

    /// Lets the session live on for as long as a new one.
    pub(crate) async fn extend(&self, id: &str) -> Result<Session<Guest>, SessionError> {
        self.store.extend(id, self.session_ttl).await?;
        self.look(id).await
    }
}

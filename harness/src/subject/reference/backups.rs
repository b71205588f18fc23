//! A backup of all sessions, made and restored when somebody asks.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use squall_client::{Restored, SessionClient};

/// The backup that was made last.
#[derive(Default)]
pub(in crate::subject) struct Backups(Mutex<Option<Arc<[u8]>>>);

impl Backups {
    /// Makes one, and says what went into it, or why there is none.
    pub(in crate::subject) async fn make(&self, client: &SessionClient) -> Value {
        let mut bytes = Vec::new();
        match client.backup(&mut bytes).await {
            Ok(made) => {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes.into());
                json!({ "sessions": made.sessions, "damaged": made.damaged, "foreign": made.foreign })
            }
            Err(error) => json!({ "error": error.to_string() }),
        }
    }

    /// Restores it, and says what became of the sessions in it, or why they are not all there.
    pub(in crate::subject) async fn restore(&self, client: &SessionClient) -> Value {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(last) = last else { return json!({ "error": "no backup was made" }) };
        match client.restore(&*last).await {
            Ok(done) => became(&done),
            Err(error) => json!({ "error": error.to_string(), "so_far": became(&error.so_far) }),
        }
    }
}

fn became(done: &Restored) -> Value {
    let Restored { written, known, destroyed, expired, foreign, damaged, .. } = done;
    json!({
        "written": written,
        "known": known,
        "destroyed": destroyed,
        "expired": expired,
        "foreign": foreign,
        "damaged": damaged,
    })
}

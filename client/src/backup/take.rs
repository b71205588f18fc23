//! Making a backup.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::{AT_ONCE, BackedUp, BackupError, format};
use crate::client::SessionClient;
use crate::core::encoding::Damage;
use crate::error::CallError;
use crate::scan;
use crate::script::Stored;
use crate::store::Store;

impl SessionClient {
    /// Writes every session of this client's prefix, as Redis has it, to `to`, and says what went into it. What only this
    /// instance knows, because Redis is away or was, is not in it: [`Stats::dirty`](crate::Stats::dirty) says how much that is.
    ///
    /// Others may write meanwhile. Each session is in it as it was at one moment, before such a write or after it; one that is
    /// created or destroyed meanwhile may be in it or not.
    ///
    /// # Errors
    ///
    /// When Redis cannot be asked, is replaced or forgets meanwhile, or `to` cannot be written to. What was written until then
    /// lacks its end.
    pub async fn backup(&self, mut to: impl AsyncWrite + Unpin) -> Result<BackedUp, BackupError> {
        let store = self.store();
        patiently(|| store.check_generation(store.deadline())).await?;
        let before = store.memory.generation.changes();
        patiently(|| scan::whole(store)).await?;
        let head = format::head(&self.settings().key_prefix, store.unix_ms());
        to.write_all(head.as_bytes()).await?;
        let (mut done, mut cursor) = (BackedUp::default(), 0);
        loop {
            let (next, ids) = patiently(|| scan::step(store, cursor, "*")).await?;
            write(store, ids, &mut to, &mut done).await?;
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        patiently(|| scan::whole(store)).await?;
        // The cursors of one Redis mean nothing to another.
        patiently(|| store.check_generation(store.deadline())).await?;
        if store.memory.generation.changes() != before {
            return Err(BackupError::OtherRedis);
        }
        to.write_all(format::end(done.sessions).as_bytes()).await?;
        to.flush().await?;
        Ok(done)
    }
}

/// How many sessions may be on their way at once: at most half of all calls, so that users' calls find a place.
pub(super) fn at_once(store: &Store) -> usize {
    AT_ONCE.min((store.settings.now().pool.in_flight as usize / 2).max(1))
}

/// Writes the sessions of these ids.
async fn write(
    store: &Arc<Store>,
    ids: Vec<String>,
    to: &mut (impl AsyncWrite + Unpin),
    done: &mut BackedUp,
) -> Result<(), BackupError> {
    let (mut ids, mut reading) = (ids.into_iter(), JoinSet::new());
    loop {
        while reading.len() < at_once(store) {
            let Some(id) = ids.next() else { break };
            let store = Arc::clone(store);
            reading.spawn(async move {
                let stored = patiently(|| store.script.read(&id, store.deadline())).await;
                (id, stored)
            });
        }
        let Some(read) = reading.join_next().await else { return Ok(()) };
        // A task ends early only with its runtime.
        let (id, stored) = read.map_err(|_| CallError::Closed)?;
        match stored? {
            Stored::Record(record) => {
                to.write_all(format::session(&id, &record).as_bytes()).await?;
                done.sessions += 1;
            }
            // It ended since it was found.
            Stored::Nothing => {}
            Stored::Damaged(_, Damage::Foreign) => done.foreign += 1,
            Stored::Damaged(_, Damage::Changed | Damage::Newer) => {
                store.tell_damaged();
                done.damaged += 1;
            }
        }
    }
}

/// Asks again where users' calls take all the places: they come first.
pub(super) async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    for _ in 0..TIMES {
        match ask().await {
            Err(CallError::Overloaded) => tokio::time::sleep(WAIT).await,
            answer => return answer,
        }
    }
    ask().await
}

const TIMES: u32 = 500;
const WAIT: Duration = Duration::from_millis(10);

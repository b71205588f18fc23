//! How many sessions the client says there are. What nobody can say just now is null.

use std::collections::BTreeMap;

use serde::Serialize;
use squall_client::{SessionClient, SessionStore, Statistics};

use super::kept::Kept;
use crate::load::users;

/// What the client counts.
#[derive(Serialize)]
pub(in crate::subject) struct Census {
    /// Sessions in Redis.
    sessions: Option<u64>,
    /// The store's statistics.
    statistics: Option<Statistics>,
    /// Sessions of each user.
    of_users: BTreeMap<String, Option<usize>>,
    /// Users that were cleaned up just now, as none of their sessions lives.
    cleaned_up: Option<u64>,
}

impl Census {
    /// What `client` counts now.
    pub(in crate::subject) async fn of(client: &SessionClient) -> Self {
        let store: SessionStore<Kept> = SessionStore::over(client.clone());
        let mut of_users = BTreeMap::new();
        for user in users() {
            let sessions = store.of_user(&user).await;
            of_users.insert(user, sessions.ok().map(|sessions| sessions.len()));
        }
        Self {
            sessions: client.count().await.ok(),
            statistics: store.statistics().await.ok(),
            of_users,
            cleaned_up: store.cleanup().await.ok(),
        }
    }
}

//! Which Redis to speak to, and as whom.

use std::fmt;
use std::sync::Arc;

use redis::RedisConnectionInfo;

use crate::connect::Connect;

/// A Redis and the credentials for it.
#[derive(Clone)]
pub struct Endpoint {
    /// Opens streams to it.
    pub connect: Arc<dyn Connect>,
    /// The ACL user, if one is needed.
    pub username: Option<String>,
    /// The password, if one is needed. It is shown nowhere.
    pub password: Option<String>,
    /// The database.
    pub database: i64,
}

impl Endpoint {
    /// Database 0 without credentials.
    pub fn new(connect: Arc<dyn Connect>) -> Self {
        Self { connect, username: None, password: None, database: 0 }
    }

    pub(crate) fn info(&self) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default().set_db(self.database);
        if let Some(username) = &self.username {
            info = info.set_username(username);
        }
        if let Some(password) = &self.password {
            info = info.set_password(password);
        }
        info
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "***");
        f.debug_struct("Endpoint")
            .field("username", &self.username)
            .field("password", &password)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

//! A connection straight to the server, past every fault: for looks from the side, and for what a world asks of its server.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo as _, RedisError,
};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::orders::Ask;
use super::{WorldError, failed, quiet};
use crate::history::Left;
use crate::subject::Credentials;

/// How long one question from the side may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Such as `redis 7.0.15`, from what INFO says.
pub(super) fn version(info: &str) -> String {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let valkey = field("valkey_version:").map(|version| format!("valkey {version}"));
    valkey.unwrap_or_else(|| format!("redis {}", field("redis_version:").unwrap_or("of unknown version")))
}

/// How to connect to a server by TCP.
pub(super) fn info(host: String, port: u16, credentials: &Credentials) -> Result<ConnectionInfo, RedisError> {
    let Credentials { username, password, database } = credentials;
    let info = (host, port).into_connection_info()?;
    let mut redis = info.redis_settings().clone().set_db(*database);
    if let Some(username) = username {
        redis = redis.set_username(username);
    }
    if let Some(password) = password {
        redis = redis.set_password(password);
    }
    Ok(info.set_redis_settings(redis))
}

/// What PTTL's answer means.
pub(super) fn left(pttl: i64) -> Option<Left> {
    match pttl {
        -2 => None,
        -1 => Some(Left::Forever),
        left => Some(Left::Millis(left.unsigned_abs())),
    }
}

/// The connection, opened when it is needed, and kept.
pub(super) struct Side {
    info: ConnectionInfo,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Side {
    /// A connection to be opened so.
    pub(super) fn new(info: ConnectionInfo) -> Self {
        Self { info, connection: Mutex::new(None) }
    }

    /// Asks, and says why not in the words of whoever failed.
    pub(super) async fn try_ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let asking = async {
            let mut kept = self.connection.lock().await;
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => Client::open(self.info.clone())?.get_multiplexed_async_connection().await?,
            };
            let answer = command.query_async(&mut connection).await?;
            *kept = Some(connection);
            Ok(answer)
        };
        let timed_out = |_| std::io::Error::from(std::io::ErrorKind::TimedOut).into();
        tokio::time::timeout(ANSWERS_WITHIN, asking).await.unwrap_or_else(|late| Err(timed_out(late)))
    }

    /// Asks.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, WorldError> {
        self.try_ask(command).await.map_err(failed("ask Redis from the side"))
    }

    /// Such as `redis 7.0.15`; a user may be forbidden to know.
    pub(super) async fn version(&self) -> String {
        version(&self.ask::<String>(redis::cmd("INFO").arg("server")).await.unwrap_or_default())
    }

    /// What the server holds under `key`.
    pub(super) async fn look(&self, key: &str) -> Result<Option<Left>, WorldError> {
        self.ask(redis::cmd("PTTL").arg(key)).await.map(left)
    }

    /// A connection to the same address, for what would keep this one busy.
    async fn dial_tcp(&self) -> Result<TcpStream, WorldError> {
        const DOING: &str = "reach Redis from the side";
        let ConnectionAddr::Tcp(host, port) = self.info.addr() else {
            return Err(failed(DOING)("it is not reached by TCP"));
        };
        let mut stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed(DOING))?;
        let redis = self.info.redis_settings();
        if let (Some(user), Some(password)) = (redis.username(), redis.password()) {
            quiet::log_in(&mut stream, user, password).await.map_err(failed(DOING))?;
        }
        Ok(stream)
    }

    /// Gives the connection up: the server that it led to is no more.
    pub(super) async fn forget(&self) {
        self.connection.lock().await.take();
    }
}

impl Ask for Side {
    async fn ask<T: FromRedisValue + Send>(&self, command: &Cmd) -> Result<T, WorldError> {
        Self::ask(self, command).await
    }

    async fn dial(&self) -> Result<TcpStream, WorldError> {
        self.dial_tcp().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_the_server() {
        assert_eq!(version("# Server\r\nredis_version:7.0.15\r\n"), "redis 7.0.15");
        assert_eq!(version("redis_version:7.2.4\r\nvalkey_version:8.1.1\r\n"), "valkey 8.1.1");
        assert_eq!(version(""), "redis of unknown version");
    }
}

//! A redis-server from the PATH, just for one check.

use std::net::TcpListener;
use std::time::Duration;

use thiserror::Error;

use crate::subject::process::group::Group;

/// How long a server may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

const ASK_EVERY: Duration = Duration::from_millis(20);

/// There is no Redis to check against.
#[derive(Debug, Error)]
#[error("no Redis: {0}\n  put redis-server on the PATH, or give one that may be written to with --redis-url")]
pub struct NoRedis(pub String);

/// A server of our own. It ends when it is dropped, and when we are killed.
pub struct Server {
    url: String,
    _group: Group,
}

impl Server {
    /// Starts one on a free port and waits until it answers.
    pub async fn start() -> Result<Self, NoRedis> {
        let failed = |error: std::io::Error| NoRedis(format!("redis-server does not start: {error}"));
        let port = free_port().map_err(failed)?;
        let command =
            format!("redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no --dir /tmp");
        let command = command.parse().map_err(|error| NoRedis(format!("{error}")))?;
        let group = Group::new().map_err(failed)?;
        // It says little; its pipes go with it.
        group.spawn_silent(&command).map_err(failed)?;
        let url = format!("redis://127.0.0.1:{port}/0");
        reach(&url).await?;
        Ok(Self { url, _group: group })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Waits until a Redis answers at `url`.
pub async fn reach(url: &str) -> Result<(), NoRedis> {
    let client = redis::Client::open(url).map_err(|error| NoRedis(error.to_string()))?;
    let answers = async {
        loop {
            match ping(&client).await {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(ASK_EVERY).await,
            }
        }
    };
    if tokio::time::timeout(ANSWERS_WITHIN, answers).await.is_ok() {
        return Ok(());
    }
    let last = ping(&client).await.err().map_or_else(String::new, |error| format!(": {error}"));
    Err(NoRedis(format!("none answers within {} s{last}", ANSWERS_WITHIN.as_secs())))
}

async fn ping(client: &redis::Client) -> redis::RedisResult<()> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async(&mut connection).await
}

/// A port that nobody listens on now.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

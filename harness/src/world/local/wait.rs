//! Waiting for what several servers settle among themselves.

use std::time::Duration;

use super::super::side::Side;
use super::super::{WorldError, failed};

/// How long servers may take to find each other.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(20);

/// Asks again and again until it is so.
pub(super) async fn until<F>(doing: &'static str, so: impl Fn() -> F) -> Result<(), WorldError>
where
    F: Future<Output = Result<bool, WorldError>>,
{
    within(PATIENCE, so).await.map_err(|last| failed(doing)(last))
}

/// The same, for so long at most; the error is what went wrong last.
pub(super) async fn within<F>(limit: Duration, so: impl Fn() -> F) -> Result<(), String>
where
    F: Future<Output = Result<bool, WorldError>>,
{
    let mut last = format!("it took longer than {} s", limit.as_secs());
    let asking = async {
        loop {
            match so().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let asked = tokio::time::timeout(limit, asking).await;
    asked.map_err(|_| last)
}

/// Whether a replica has all that its primary has.
pub(super) async fn has_caught_up(replica: &Side) -> Result<bool, WorldError> {
    let info: String = replica.ask(redis::cmd("INFO").arg("replication")).await?;
    Ok(info.contains("master_link_status:up"))
}

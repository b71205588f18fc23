//! A server that somebody else runs. It is a guest's room: all keys of a run lie under a prefix of the run's own, and these alone
//! are removed at the end.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::RedisError;
use tokio::net::TcpStream;

use super::super::side::Side;
use super::super::{WorldError, failed};
use super::url::RedisUrl;
use crate::subject::Credentials;

/// How long opening a connection may take.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);

/// How long removing a run's keys may take at its end, and when there is less time.
const REMOVED_WITHIN: Duration = Duration::from_secs(30);
const REMOVED_IN_HASTE: Duration = Duration::from_secs(3);

/// How many keys are looked at in one step.
const STEP: u32 = 1000;

/// What names it, for cures.
const NAMED_BY: &str = "--redis-url or SQUALL_REDIS_URL";

/// Runs whose keys are still to be removed, by their prefix.
static RUNS: Mutex<BTreeMap<String, RedisUrl>> = Mutex::new(BTreeMap::new());

pub(super) struct Given {
    url: RedisUrl,
    address: SocketAddr,
    prefix: String,
    side: Side,
}

impl Given {
    /// Makes sure that it answers and lets us in.
    pub(super) async fn start(url: RedisUrl) -> Result<Self, WorldError> {
        let address = reach(&url).await?;
        let side = Side::new(url.info().map_err(failed("read the server's address"))?);
        side.try_ask::<()>(&redis::cmd("PING")).await.map_err(|error| refused(&url, &error))?;
        let run = std::hash::RandomState::new().build_hasher().finish();
        let prefix = format!("squall:{run:016x}:");
        runs().insert(prefix.clone(), url.clone());
        Ok(Self { url, address, prefix, side })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn side(&self) -> &Side {
        &self.side
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.url.credentials
    }

    /// What stands before every key of this run.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// For reports.
    pub(super) async fn note(&self) -> String {
        let Self { url, prefix, .. } = self;
        format!("server: {} ({url}, of the user's own; keys under {prefix})", self.side.version().await)
    }

    /// Removes the run's keys.
    pub(super) async fn close(&self) -> Result<(), WorldError> {
        if runs().remove(&self.prefix).is_none() {
            return Ok(());
        }
        const DOING: &str = "remove the run's keys";
        let removing = tokio::time::timeout(REMOVED_WITHIN, remove(&self.side, &self.prefix)).await;
        removing
            .map_err(failed(DOING))?
            .map_err(|error| failed(DOING)(self.url.without_password(&error.to_string())))
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let Some(url) = runs().remove(&self.prefix) else { return };
        let prefix = self.prefix.clone();
        // On a thread of its own: here there may be no runtime, or one that must not be entered again.
        let removed = std::thread::spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(remove_in_haste(&url, &prefix));
            }
        });
        let _ = removed.join();
    }
}

/// Removes the keys of every run of this process. Called when it is told to end.
pub(super) async fn sweep() {
    let runs = std::mem::take(&mut *runs());
    for (prefix, url) in runs {
        remove_in_haste(&url, &prefix).await;
    }
}

/// What cannot be removed now expires by itself.
async fn remove_in_haste(url: &RedisUrl, prefix: &str) {
    if let Ok(info) = url.info() {
        let _ = tokio::time::timeout(REMOVED_IN_HASTE, remove(&Side::new(info), prefix)).await;
    }
}

/// Removes every key that has the run's prefix, wherever in the key: those of helpers and tombstones stand in braces.
async fn remove(side: &Side, prefix: &str) -> Result<(), RedisError> {
    let pattern = format!("*{prefix}*");
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP);
        let (next, keys): (u64, Vec<Vec<u8>>) = side.try_ask(&scan).await?;
        if !keys.is_empty() {
            side.try_ask::<()>(redis::cmd("UNLINK").arg(keys)).await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}

/// The address of the server's at which somebody listens.
async fn reach(url: &RedisUrl) -> Result<SocketAddr, WorldError> {
    let missing = |cause: String| WorldError::Missing {
        what: format!("no server answers at {url}: {cause}"),
        cure: format!("start it, or correct {NAMED_BY}"),
    };
    let reaching = async {
        let mut cause = "the name has no address".to_owned();
        let found = tokio::net::lookup_host((url.host.as_str(), url.port)).await;
        for address in found.map_err(|error| error.to_string())? {
            match TcpStream::connect(address).await {
                Ok(_) => return Ok(address),
                Err(error) => cause = error.to_string(),
            }
        }
        Err(cause)
    };
    match tokio::time::timeout(CONNECTS_WITHIN, reaching).await {
        Ok(reached) => reached.map_err(missing),
        Err(_) => Err(missing(format!("nothing within {} s", CONNECTS_WITHIN.as_secs()))),
    }
}

fn refused(url: &RedisUrl, error: &RedisError) -> WorldError {
    let cause = url.without_password(&error.to_string());
    let cure = if error.kind() == redis::ErrorKind::AuthenticationFailed || cause.contains("NOAUTH") {
        format!("correct user and password in {NAMED_BY}: redis://user:password@{url}")
    } else {
        format!("see that it is Redis or Valkey and takes commands, or correct {NAMED_BY}")
    };
    WorldError::Missing { what: format!("the server at {url} does not let us in: {cause}"), cure }
}

fn runs() -> MutexGuard<'static, BTreeMap<String, RedisUrl>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

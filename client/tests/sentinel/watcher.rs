//! Sentinels, and what they watch.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use squall_client::{
    CallError, Clock, Connect, Credentials, Endpoint, Lookup, Sentinel, ServedBy, Settings, connect_to,
};

use crate::redis::{MINUTE, Redis, Told, create, eventually, free_port, quick, told};

/// A sentinel that is killed when it goes out of scope.
pub(crate) struct Watcher {
    pub(crate) port: u16,
    child: Child,
    password: Option<&'static str>,
    _folder: tempfile::TempDir,
}

impl Watcher {
    /// One that watches the server at this port by the name `sessions`, and needs `quorum` sentinels to agree.
    pub(crate) fn start(of: u16, quorum: u8) -> Self {
        let port = free_port();
        Self::start_with(port, of, quorum, &format!("port {port}\n"))
    }

    /// The same, with these lines in its configuration, which make it listen at `port`.
    pub(crate) fn start_with(port: u16, of: u16, quorum: u8, lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "bind 127.0.0.1\n{lines}sentinel monitor sessions 127.0.0.1 {of} {quorum}\n\
             sentinel down-after-milliseconds sessions 1000\nsentinel failover-timeout sessions 1000\n"
        );
        let path = folder.path().join("sentinel.conf");
        std::fs::write(&path, config).expect("a file");
        let child = Command::new("redis-server")
            .arg(&path)
            .arg("--sentinel")
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn();
        Self { port, child: child.expect("a sentinel starts"), password: None, _folder: folder }
    }

    /// The same, where it wants this password.
    pub(crate) fn start_closed(of: u16, password: &'static str) -> Self {
        let port = free_port();
        let lines = format!("port {port}\nrequirepass {password}\n");
        let mut watcher = Self::start_with(port, of, 1, &lines);
        watcher.password = Some(password);
        watcher
    }

    pub(crate) async fn ask<T: ::redis::FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let login = self.password.map(|password| format!(":{password}@")).unwrap_or_default();
        let client = ::redis::Client::open(format!("redis://{login}127.0.0.1:{}", self.port)).ok()?;
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut command = ::redis::cmd("SENTINEL");
        command.arg(words).query_async(&mut connection).await.ok()
    }

    /// The port of the server that it names.
    pub(crate) async fn names(&self) -> Option<u16> {
        let (_, port) = self.ask::<(String, u16)>(&["GET-MASTER-ADDR-BY-NAME", "sessions"]).await?;
        Some(port)
    }

    /// Waits until it answers.
    pub(crate) async fn ready(self) -> Self {
        eventually("a sentinel answers", || async { self.names().await.is_some() }).await;
        self
    }

    /// Stops it: it takes connections, and answers nothing.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ports of some sentinels.
pub(crate) fn ports(watchers: &[Watcher]) -> Vec<u16> {
    watchers.iter().map(|watcher| watcher.port).collect()
}

/// Sentinels at these ports, which know a name.
pub(crate) fn sentinel(ports: &[u16], name: &str) -> Sentinel {
    let addresses = ports.iter().map(|port| ("127.0.0.1".to_owned(), *port)).collect();
    Sentinel::new(addresses, name, connect_to::tcp(&Settings::default().keepalive))
}

/// Settings for what must be right at the first try, on a machine that is busy.
pub(crate) fn patient() -> Settings {
    let (short, long) = (Duration::from_secs(2), Duration::from_secs(5));
    Settings { connect_timeout: short, operation_timeout: short, deadline: long, ..quick() }
}

/// A client of what the sentinels at these ports name.
pub(crate) fn client(ports: &[u16], settings: &Settings) -> Told {
    client_of(sentinel(ports, "sessions"), settings)
}

pub(crate) fn client_of(sentinel: Sentinel, settings: &Settings) -> Told {
    let connect: Arc<dyn Connect> = Arc::new(sentinel);
    told(Endpoint::new(connect), 1, settings, Clock::system())
}

pub(crate) fn login(password: &str) -> Credentials {
    Credentials::new(None, Some(password.to_owned()))
}

/// Why a session that nobody has seen is unknown.
pub(crate) async fn why_unknown(told: &Told) -> CallError {
    match told.client.get("unseen").await {
        Ok(Lookup::Unknown { because }) => because,
        other => panic!("it should be unknown: {other:?}"),
    }
}

/// Waits until Redis serves.
pub(crate) async fn goes_through(told: &Told) {
    eventually("redis is reached", || async { create(told, "s", "1", MINUTE).await == ServedBy::Redis })
        .await;
}

/// A primary, a replica that has caught up, and three sentinels that know of each other and of both.
pub(crate) async fn watched() -> Option<(Redis, Redis, Vec<Watcher>)> {
    let primary = Redis::start_with(vec!["--repl-diskless-sync-delay".to_owned(), "0".to_owned()]).await?;
    let of = ["--replicaof".to_owned(), "127.0.0.1".to_owned(), primary.port.to_string()];
    let replica = Redis::start_with(of.to_vec()).await?;
    eventually("the replica has caught up", || async {
        replica.ask::<String>(&["INFO", "replication"]).await.contains("master_link_status:up")
    })
    .await;
    // A sentinel whose port was taken meanwhile ends, and one that asked too early asks again after ten seconds.
    for _ in 0..3 {
        let watchers: Vec<Watcher> = (0..3).map(|_| Watcher::start(primary.port, 2)).collect();
        if tokio::time::timeout(Duration::from_secs(8), know_each_other(&watchers)).await.is_ok() {
            return Some((primary, replica, watchers));
        }
    }
    panic!("the sentinels do not find each other and the replica");
}

/// Waits until each sentinel knows the others, and the replica.
async fn know_each_other(watchers: &[Watcher]) {
    for watcher in watchers {
        eventually("a sentinel knows the others and the replica", || async {
            let others = watcher.ask::<Vec<::redis::Value>>(&["SENTINELS", "sessions"]).await;
            let replicas = watcher.ask::<Vec<::redis::Value>>(&["REPLICAS", "sessions"]).await;
            others.is_some_and(|others| others.len() == 2) && replicas.is_some_and(|all| all.len() == 1)
        })
        .await;
    }
}

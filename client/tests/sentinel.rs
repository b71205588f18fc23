//! Three real sentinels, a primary and a replica: sessions go on across a failover, whatever one sentinel says.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use squall_client::{Clock, Connect, Endpoint, Sentinel, ServedBy, Settings, Tcp};

use redis::{MINUTE, Redis, Told, create, eventually, free_port, quick, read, told, value};

/// A sentinel that is killed when it goes out of scope.
struct Watcher {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Watcher {
    /// One that watches the server at this port, and needs `quorum` sentinels to agree.
    fn start(of: u16, quorum: u8) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor sessions 127.0.0.1 {of} {quorum}\n\
             sentinel down-after-milliseconds sessions 400\nsentinel failover-timeout sessions 2000\n"
        );
        let path = folder.path().join("sentinel.conf");
        std::fs::write(&path, config).expect("a file");
        let child = Command::new("redis-server").arg(&path).arg("--sentinel").stdout(Stdio::null()).spawn();
        Self { port, child: child.expect("a sentinel starts"), _folder: folder }
    }

    async fn ask<T: ::redis::FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let client = ::redis::Client::open(("127.0.0.1", self.port)).ok()?;
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut command = ::redis::cmd("SENTINEL");
        command.arg(words).query_async(&mut connection).await.ok()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn endpoint(sentinels: &[u16]) -> Endpoint {
    let keepalive = Settings::default().keepalive;
    let connect_to = Arc::new(move |host: &str, port| {
        let tcp = Tcp { host: host.to_owned(), port, keepalive: keepalive.clone() };
        Ok(Arc::new(tcp) as Arc<dyn Connect>)
    });
    let addresses = sentinels.iter().map(|port| ("127.0.0.1".to_owned(), *port)).collect();
    Endpoint::new(Arc::new(Sentinel::new(addresses, "sessions", connect_to)))
}

fn client(sentinels: &[u16]) -> Told {
    let settings =
        Settings { connect_timeout: Duration::from_secs(1), deadline: Duration::from_secs(2), ..quick() };
    told(endpoint(sentinels), 1, &settings, Clock::system())
}

/// A primary, a replica that has caught up, and three sentinels that know of each other and of both.
async fn watched() -> Option<(Redis, Redis, Vec<Watcher>)> {
    let primary = Redis::start_with(vec!["--repl-diskless-sync-delay".to_owned(), "0".to_owned()]).await?;
    let of = ["--replicaof".to_owned(), "127.0.0.1".to_owned(), primary.port.to_string()];
    let replica = Redis::start_with(of.to_vec()).await?;
    let watchers: Vec<Watcher> = (0..3).map(|_| Watcher::start(primary.port, 2)).collect();
    for watcher in &watchers {
        eventually("each sentinel knows the others and the replica", || async {
            let others = watcher.ask::<Vec<::redis::Value>>(&["SENTINELS", "sessions"]).await;
            let replicas = watcher.ask::<Vec<::redis::Value>>(&["REPLICAS", "sessions"]).await;
            others.is_some_and(|others| others.len() == 2) && replicas.is_some_and(|all| all.len() == 1)
        })
        .await;
    }
    Some((primary, replica, watchers))
}

#[tokio::test]
async fn sessions_go_on_on_the_new_primary_after_a_failover() {
    let Some((mut primary, replica, watchers)) = watched().await else { return };
    let ports: Vec<u16> = watchers.iter().map(|watcher| watcher.port).collect();
    let told = client(&ports);
    assert_eq!(create(&told, "before", "1", MINUTE).await, ServedBy::Redis);
    primary.kill();
    // Served by memory until the sentinels have agreed.
    told.client.update("before", value("2")).await.unwrap();
    eventually("the replica is primary", || async {
        replica.ask::<String>(&["INFO", "replication"]).await.contains("role:master")
    })
    .await;
    eventually("writes go to it", || async { create(&told, "after", "3", MINUTE).await == ServedBy::Redis })
        .await;
    told.clean().await;
    let there = replica.session_client(9, &quick());
    assert_eq!(read(&there, "before").await.as_deref(), Some("2"));
    assert_eq!(read(&there, "after").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_sentinel_that_names_a_wrong_primary_is_outvoted_and_one_that_is_gone_is_not_missed() {
    let Some((primary, replica, mut watchers)) = watched().await else { return };
    // It knows nothing of the others, and takes the replica for the primary.
    let liar = Watcher::start(replica.port, 3);
    eventually("the liar answers", || async {
        liar.ask::<Vec<String>>(&["GET-MASTER-ADDR-BY-NAME", "sessions"]).await.is_some()
    })
    .await;
    let told = client(&[liar.port, watchers[0].port, watchers[1].port]);
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Redis);
    let gone = watchers.remove(0).port;
    let told = client(&[gone, watchers[0].port, watchers[1].port]);
    assert_eq!(create(&told, "b", "1", MINUTE).await, ServedBy::Redis);
    let there = primary.session_client(9, &quick());
    assert_eq!(read(&there, "a").await.as_deref(), Some("1"));
    assert_eq!(read(&there, "b").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_told_and_memory_serves() {
    let Some(primary) = Redis::start().await else { return };
    let watcher = Watcher::start(primary.port, 1);
    eventually("it answers", || async {
        watcher.ask::<Vec<String>>(&["GET-MASTER-ADDR-BY-NAME", "sessions"]).await.is_some()
    })
    .await;
    let endpoint = {
        let keepalive = Settings::default().keepalive;
        let connect_to = Arc::new(move |host: &str, port| {
            let tcp = Tcp { host: host.to_owned(), port, keepalive: keepalive.clone() };
            Ok(Arc::new(tcp) as Arc<dyn Connect>)
        });
        let addresses = vec![("127.0.0.1".to_owned(), watcher.port)];
        Endpoint::new(Arc::new(Sentinel::new(addresses, "other", connect_to)))
    };
    let told = told(endpoint, 1, &quick(), Clock::system());
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Local);
    let error = told.client.get("unknown").await.unwrap();
    let squall_client::Lookup::Unknown { because } = error else { panic!("{error:?}") };
    assert!(because.to_string().contains("names a primary \"other\""), "{because}");
}

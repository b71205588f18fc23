//! The server as clients see it, through redis-rs on streams in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisResult};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Config, Server};

const MERGE: &str = include_str!("../../../client/src/core/merge.lua");

fn server_with_time() -> (Server, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(1_700_000_000_000_000));
    let read = Arc::clone(&time);
    (Server::new(Config::new("7.0.15", 1, Arc::new(move || read.load(Ordering::Relaxed)))), time)
}

fn server() -> Server {
    server_with_time().0
}

fn stream(server: &Server) -> tokio::io::DuplexStream {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = server.clone();
    tokio::spawn(async move { server.serve(theirs).await });
    ours
}

async fn connect_as(server: &Server, info: &RedisConnectionInfo) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let opened = MultiplexedConnection::new_with_config(info, stream(server), config).await;
    let (connection, driver) = opened?;
    tokio::spawn(driver);
    Ok(connection)
}

async fn connect(server: &Server) -> MultiplexedConnection {
    connect_as(server, &RedisConnectionInfo::default()).await.unwrap()
}

async fn raw(server: &Server, sent: &[u8]) -> String {
    let mut stream = stream(server);
    stream.write_all(sent).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.unwrap();
    String::from_utf8(read).unwrap()
}

/// A record as the reference client writes it: created, expiring at `expires_ms`, with this value.
fn record(version: u8, expires_ms: u64, value: &str) -> String {
    let version = format!("{version:024x}");
    format!("sq1;{version}00{version}{expires_ms:012x}00{version}00000000{value}")
}

async fn merge(connection: &mut MultiplexedConnection, record: &str) -> RedisResult<Vec<redis::Value>> {
    let hash = redis::Script::new(MERGE).get_hash().to_owned();
    let mut command = redis::cmd("EVALSHA");
    command.arg(hash).arg(2).arg("s").arg("{s}:tomb").arg(record).arg("").arg(0).arg(1000).arg("");
    command.query_async(connection).await
}

#[tokio::test(start_paused = true)]
async fn redis_rs_merges_a_session() {
    let (server, time) = server_with_time();
    let mut connection = connect(&server).await;
    let now_ms = time.load(Ordering::Relaxed) / 1000;
    let first = record(1, now_ms + 60_000, "hello");
    let unknown = merge(&mut connection, &first).await.unwrap_err();
    assert_eq!(unknown.code(), Some("NOSCRIPT"));
    let _: String = redis::cmd("SCRIPT").arg("LOAD").arg(MERGE).query_async(&mut connection).await.unwrap();
    for (sent, wrote) in [(&first, 1), (&first, 0), (&record(2, now_ms + 90_000, "hello again"), 1)] {
        let answer = merge(&mut connection, sent).await.unwrap();
        assert_eq!(answer[0], redis::Value::BulkString(b"1700000000000000 1685".to_vec()));
        assert_eq!(answer[1], redis::Value::BulkString(b"alive".to_vec()));
        assert_eq!(answer[4], redis::Value::Int(wrote));
    }
    assert_eq!(server.look(b"s"), Some(Some(90_000)));
    assert!(server.text(b"s").unwrap().ends_with(b"hello again"));
    time.fetch_add(90_001_000, Ordering::Relaxed);
    assert_eq!(server.look(b"s"), None);
}

#[tokio::test(start_paused = true)]
async fn credentials_and_database_are_taken_at_the_greeting() {
    let mut config = Config::new("7.0.15", 1, Arc::new(|| 1));
    config.password = Some("secret".to_owned());
    let server = Server::new(config);
    assert!(connect_as(&server, &RedisConnectionInfo::default().set_password("wrong")).await.is_err());
    for info in [
        RedisConnectionInfo::default().set_password("secret").set_db(3),
        RedisConnectionInfo::default()
            .set_username("default")
            .set_password("secret")
            .set_db(3)
            .set_protocol(redis::ProtocolVersion::RESP3),
    ] {
        let mut connection = connect_as(&server, &info).await.unwrap();
        let _: () = redis::cmd("SET").arg("k").arg("v").query_async(&mut connection).await.unwrap();
    }
    assert_eq!((server.look(b"k"), server.look_in(3, b"k")), (None, Some(None)));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_paused_is_done_on_resume() {
    let server = server();
    let mut connection = connect(&server).await;
    server.pause();
    let asked =
        tokio::spawn(
            async move { redis::cmd("SET").arg("k").arg("v").query_async::<()>(&mut connection).await },
        );
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert!(!asked.is_finished() && server.look(b"k").is_none());
    server.resume();
    asked.await.unwrap().unwrap();
    assert_eq!(server.look(b"k"), Some(None));
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_what_it_is_told_and_has_another_run_id() {
    let server = server();
    let mut connection = connect(&server).await;
    let run_id = server.run_id();
    let set = redis::cmd("SET").arg("k").arg("v").arg("PX").arg(5000).to_owned();
    set.query_async::<()>(&mut connection).await.unwrap();
    server.stop(true);
    assert!(set.query_async::<()>(&mut connection).await.is_err());
    assert_eq!(server.connections(), 0);
    server.serve(tokio::io::duplex(1).0).await;
    server.start();
    assert_ne!(server.run_id(), run_id);
    assert_eq!(server.look(b"k"), Some(Some(5000)));
    let _connection = connect(&server).await;
    server.kill();
    server.start();
    assert_eq!(server.look(b"k"), None);
}

#[tokio::test(start_paused = true)]
async fn clients_are_killed_and_too_many_are_refused() {
    let server = server();
    server.set_max_clients(1);
    let mut first = connect(&server).await;
    assert_eq!(raw(&server, b"PING\r\n").await, "-ERR max number of clients reached\r\n");
    server.kill_clients();
    assert!(redis::cmd("PING").query_async::<()>(&mut first).await.is_err());
    tokio::task::yield_now().await;
    assert_eq!(server.connections(), 0);
    assert_eq!(raw(&server, b"PING\r\nQUIT\r\nPING\r\n").await, "+PONG\r\n+OK\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_slow_script_makes_others_wait_and_then_refuses_them() {
    let server = server();
    let mut connection = connect(&server).await;
    let blocking = server.clone();
    let seconds = std::time::Duration::from_secs;
    let block = tokio::spawn(async move { blocking.block(seconds(8)).await });
    tokio::time::sleep(seconds(1)).await;
    let mut waits = connection.clone();
    let waits = tokio::spawn(async move { redis::cmd("PING").query_async::<()>(&mut waits).await });
    tokio::time::sleep(seconds(3)).await;
    assert!(!waits.is_finished());
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(waits.await.unwrap().unwrap_err().code(), Some("BUSY"));
    let busy = redis::cmd("PING").query_async::<()>(&mut connection).await.unwrap_err();
    assert_eq!(busy.code(), Some("BUSY"));
    block.await.unwrap();
    redis::cmd("PING").query_async::<()>(&mut connection).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_skewed_clock_makes_keys_expire_sooner() {
    let server = server();
    assert_eq!(raw(&server, b"SET k v EX 10\r\n").await, "+OK\r\n");
    server.skew(4_000_000);
    assert_eq!(server.look(b"k"), Some(Some(6000)));
    server.skew(11_000_000);
    assert_eq!(server.look(b"k"), None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_not_given_more_and_more() {
    let server = server();
    let mut stream = stream(&server);
    stream.write_all(&format!("SET k {}\r\n", "x".repeat(60_000)).into_bytes()).await.unwrap();
    let mut sent = 0;
    while sent < 1000 {
        let limit = std::time::Duration::from_millis(50);
        let get = stream.write_all(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
        if tokio::time::timeout(limit, get).await.is_err() {
            break;
        }
        sent += 1;
    }
    assert!(server.commands_processed() < 40, "{}", server.commands_processed());
    let mut read = vec![0; 60_000 * 10];
    stream.read_exact(&mut read).await.unwrap();
}

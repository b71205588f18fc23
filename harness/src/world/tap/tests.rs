//! Tests of the tap on real sockets.

use std::io::ErrorKind;
use std::time::Duration;

use squall_client::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(5);

/// A tap in front of a listener.
async fn tapped() -> (Tap, TcpListener, Recorder) {
    let redis = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let recorder = Recorder::new(Clock::system());
    let tap = Tap::start(0, redis.local_addr().unwrap(), recorder.clone()).unwrap();
    (tap, redis, recorder)
}

async fn connected(tap: &Tap, redis: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(("127.0.0.1", tap.port())).await.unwrap();
    let (server, _) = timeout(SOON, redis.accept()).await.unwrap().unwrap();
    (client, server)
}

async fn read_error(stream: &mut TcpStream) -> Option<ErrorKind> {
    let mut byte = [0];
    timeout(SOON, stream.read_exact(&mut byte)).await.unwrap().err().map(|error| error.kind())
}

#[tokio::test]
async fn bytes_pass_unchanged_both_ways() {
    let (tap, redis, recorder) = tapped().await;
    let (mut client, mut server) = connected(&tap, &redis).await;
    client.write_all(b"*1\r\n$4\r\nPING\r\n").await.unwrap();
    let mut heard = [0; 14];
    server.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"*1\r\n$4\r\nPING\r\n");
    server.write_all(b"+PONG\r\n").await.unwrap();
    let mut heard = [0; 7];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"+PONG\r\n");
    assert_eq!(tap.open(), 1);
    let wire: Vec<Wire> = recorder
        .take()
        .into_iter()
        .filter_map(|entry| match entry.e {
            Event::Wire { what, .. } => Some(what),
            _ => None,
        })
        .collect();
    let ping = Wire::Command { name: "PING".to_owned(), key: None };
    assert_eq!(wire, [Wire::Opened, ping, Wire::Reply { kind: crate::history::ReplyKind::Value }]);
}

#[tokio::test]
async fn a_reset_by_redis_resets_the_client_and_an_end_ends_it() {
    let (tap, redis, _) = tapped().await;
    let (mut client, server) = connected(&tap, &redis).await;
    socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
    drop(server);
    assert_eq!(read_error(&mut client).await, Some(ErrorKind::ConnectionReset));
    let (mut client, server) = connected(&tap, &redis).await;
    drop(server);
    assert_eq!(read_error(&mut client).await, Some(ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn a_refusing_tap_resets_what_is_idle_refuses_what_is_new_and_opens_the_same_port_again() {
    let (tap, redis, _) = tapped().await;
    let (mut idle, _server) = connected(&tap, &redis).await;
    tap.refuse();
    tap.refuse();
    assert_eq!(read_error(&mut idle).await, Some(ErrorKind::ConnectionReset));
    let refused = || TcpStream::connect(("127.0.0.1", tap.port()));
    let until_refused = async {
        // The listener closes when its task has seen the abort.
        while refused().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, until_refused).await.unwrap();
    assert_eq!(refused().await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    tap.accept().unwrap();
    assert_eq!(refused().await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    tap.accept().unwrap();
    connected(&tap, &redis).await;
}

#[tokio::test]
async fn where_redis_refuses_the_client_is_reset() {
    let (tap, redis, _) = tapped().await;
    drop(redis);
    let mut client = TcpStream::connect(("127.0.0.1", tap.port())).await.unwrap();
    assert_eq!(read_error(&mut client).await, Some(ErrorKind::ConnectionReset));
}

//! The proxy between plain sockets on loopback.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use squall_client::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::fault::Direction;
use crate::history::{Event, ReplyKind, Wire};

const SOON: Duration = Duration::from_secs(10);

struct Bench {
    proxy: Proxy,
    server: TcpListener,
    recorder: Recorder,
}

impl Bench {
    async fn new() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let recorder = Recorder::new(Clock::new(0));
        let proxy = Proxy::listen(3, 1, server.local_addr().unwrap(), recorder.clone()).await.unwrap();
        Self { proxy, server, recorder }
    }

    async fn pair(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.proxy.address()).await.unwrap();
        (client, soon(self.server.accept()).await.unwrap().0)
    }

    /// What was recorded until the last connection was gone.
    async fn closed(&self) -> Vec<Wire> {
        let (mut found, mut live) = (Vec::new(), 1);
        soon(async {
            while live > 0 {
                tokio::task::yield_now().await;
                found.extend(self.recorder.take().into_iter().map(|entry| match entry.e {
                    Event::Wire { instance: 3, what, .. } => what,
                    other => panic!("{other:?}"),
                }));
                let count = |wanted: fn(&Wire) -> bool| found.iter().filter(|wire| wanted(wire)).count();
                live =
                    count(|wire| *wire == Wire::Opened) - count(|wire| matches!(wire, Wire::Closed { .. }));
            }
        })
        .await;
        found
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("it should have happened by now")
}

async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn byte(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    soon(stream.read(&mut [0])).await.map_err(|error| error.kind())
}

fn strike(act: Act) -> Strike {
    Strike {
        what: String::new(),
        act,
        instances: Vec::new(),
        of_several: false,
        direction: Direction::Both,
        probability: 1.0,
        matching: Default::default(),
        from: 0,
        to: 0,
    }
}

fn ended(by: &str) -> Wire {
    Wire::Closed { by: by.to_owned() }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, ErrorKind> {
    soon(TcpStream::connect(address)).await.map_err(|error| error.kind())
}

#[tokio::test]
async fn it_passes_bytes_on_and_records_what_they_mean() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    assert_eq!(bench.proxy.connections(), 1);
    let mut got = [0; 64];
    client.write_all(b"*2\r\n$3\r\nget\r\n$2\r\ns1\r\n").await.unwrap();
    assert_eq!(soon(server.read_exact(&mut got[..21])).await.unwrap(), 21);
    server.write_all(b"$-1\r\n").await.unwrap();
    soon(client.read_exact(&mut got[..5])).await.unwrap();
    assert_eq!(&got[..5], b"$-1\r\n");
    drop(client);
    assert_eq!(byte(&mut server).await, Ok(0));
    drop(server);
    let command = Wire::Command { name: "GET".to_owned(), key: Some("s1".to_owned()) };
    let expected = [Wire::Opened, command, Wire::Reply { kind: ReplyKind::Null }, ended("subject: end")];
    assert_eq!(bench.closed().await, expected);
}

#[tokio::test]
async fn bytes_that_are_not_resp_pass_unchanged() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let noise: Vec<u8> =
        (0..3_000_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let send = async {
        client.write_all(&noise).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let ((), read) = tokio::join!(send, server.read_to_end(&mut got));
    assert_eq!(read.unwrap(), noise.len());
    assert!(got == noise);
    drop(server);
    drop(client);
    assert_eq!(bench.closed().await, [Wire::Opened, Wire::Garbled { upstream: true }, ended("subject: end")]);
}

#[tokio::test]
async fn an_end_from_redis_ends_the_subject_and_half_an_end_stays_half() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    server.shutdown().await.unwrap();
    assert_eq!(byte(&mut client).await, Ok(0));
    client.write_all(b"x").await.unwrap();
    assert_eq!(byte(&mut server).await, Ok(1));
    drop(client);
    assert_eq!(byte(&mut server).await, Ok(0));
    assert_eq!(bench.closed().await.last(), Some(&ended("redis: end")));
}

#[tokio::test]
async fn what_the_subject_has_ended_it_has_open_no_more_even_while_redis_keeps_silent() {
    let bench = Bench::new().await;
    let (client, server) = bench.pair().await;
    assert_eq!(bench.proxy.connections(), 1);
    drop(client);
    until(|| bench.proxy.connections() == 0).await;
    drop(server);
    assert_eq!(bench.closed().await.last(), Some(&ended("subject: end")));
}

#[tokio::test]
async fn a_reset_from_redis_resets_the_subject() {
    let bench = Bench::new().await;
    let (mut client, server) = bench.pair().await;
    server.set_zero_linger().unwrap();
    drop(server);
    assert_eq!(byte(&mut client).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(bench.closed().await, [Wire::Opened, ended("redis: reset")]);
}

#[tokio::test]
async fn a_reset_from_the_subject_resets_redis() {
    let bench = Bench::new().await;
    let (client, mut server) = bench.pair().await;
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(byte(&mut server).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(bench.closed().await, [Wire::Opened, ended("subject: reset")]);
}

#[tokio::test]
async fn a_reset_goes_on_even_while_redis_takes_nothing() {
    let bench = Bench::new().await;
    let (mut client, server) = bench.pair().await;
    let fill = async {
        loop {
            client.write_all(&[b'x'; 65536]).await.unwrap();
        }
    };
    // Full means that nothing more was taken for a while.
    assert!(tokio::time::timeout(Duration::from_millis(300), fill).await.is_err());
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(bench.closed().await.last(), Some(&ended("subject: reset")));
    drop(server);
}

#[tokio::test]
async fn where_redis_refuses_the_subject_is_reset() {
    let Bench { proxy, server, recorder } = Bench::new().await;
    drop(server);
    let mut client = connect(proxy.address()).await.unwrap();
    assert_eq!(byte(&mut client).await, Err(ErrorKind::ConnectionReset));
    until(|| proxy.connections() == 0).await;
    let by = recorder.take().pop().map(|entry| entry.e);
    assert!(matches!(by, Some(Event::Wire { what: Wire::Closed { by }, .. }) if by == "redis: refused"));
}

#[tokio::test]
async fn refusing_is_true_and_the_port_stays_ours() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let address = bench.proxy.address();
    for _ in 0..3 {
        bench.proxy.refuse().await;
        assert_eq!(connect(address).await.err(), Some(ErrorKind::ConnectionRefused));
        let stolen = std::net::TcpListener::bind(address);
        assert_eq!(stolen.err().map(|error| error.kind()), Some(ErrorKind::AddrInUse));
        bench.proxy.accept().await.unwrap();
        bench.proxy.accept().await.unwrap();
        drop(bench.pair().await);
    }
    assert_eq!(byte(&mut client).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(byte(&mut server).await, Err(ErrorKind::ConnectionReset));
    let closed = bench.closed().await;
    assert!(closed.contains(&ended("world: reset")), "{closed:?}");
}

#[tokio::test]
async fn a_deaf_tap_lets_live_connections_go_on() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.proxy.deafen().await;
    assert_eq!(connect(bench.proxy.address()).await.err(), Some(ErrorKind::ConnectionRefused));
    client.write_all(b"x").await.unwrap();
    assert_eq!(byte(&mut server).await, Ok(1));
}

#[tokio::test]
async fn a_paused_tap_keeps_new_connections_waiting_and_lets_live_ones_go_on() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.proxy.pause().await;
    let mut waiting = connect(bench.proxy.address()).await.unwrap();
    waiting.write_all(b"x").await.unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(byte(&mut server).await, Ok(1));
    assert_eq!(bench.proxy.connections(), 1);
    bench.proxy.resume().await.unwrap();
    bench.proxy.resume().await.unwrap();
    let (mut carried, _) = soon(bench.server.accept()).await.unwrap();
    assert_eq!(byte(&mut carried).await, Ok(1));
}

#[tokio::test]
async fn a_dropped_tap_leaves_nothing() {
    let Bench { proxy, server, .. } = Bench::new().await;
    let mut client = connect(proxy.address()).await.unwrap();
    let address = proxy.address();
    let (mut upstream, _) = soon(server.accept()).await.unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(byte(&mut upstream).await, Ok(1));
    drop(proxy);
    assert_eq!(byte(&mut client).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(byte(&mut upstream).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(connect(address).await.err(), Some(ErrorKind::ConnectionRefused));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_jammed_port_lets_connects_hang_and_none_of_its_fillers_is_seen() {
    let bench = Bench::new().await;
    let cut = strike(Act::Unreachable);
    for _ in 0..3 {
        bench.proxy.begin(0, &cut).await.unwrap();
        let short = Duration::from_millis(150);
        let hangs = tokio::time::timeout(short, TcpStream::connect(bench.proxy.address())).await;
        assert!(hangs.is_err(), "{hangs:?}");
        bench.proxy.end(0, &cut).await.unwrap();
        let (client, server) = bench.pair().await;
        drop((client, server));
    }
    until(|| bench.proxy.connections() == 0).await;
    let opened = bench
        .recorder
        .take()
        .into_iter()
        .filter(|entry| matches!(&entry.e, Event::Wire { what: Wire::Opened, .. }));
    assert_eq!(opened.count(), 3);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_jammed_port_that_closes_refuses_and_is_jammed_when_it_opens() {
    let bench = Bench::new().await;
    let cut = strike(Act::Unreachable);
    bench.proxy.begin(0, &cut).await.unwrap();
    bench.proxy.deafen().await;
    assert_eq!(connect(bench.proxy.address()).await.unwrap_err(), ErrorKind::ConnectionRefused);
    bench.proxy.accept().await.unwrap();
    let short = Duration::from_millis(150);
    assert!(tokio::time::timeout(short, TcpStream::connect(bench.proxy.address())).await.is_err());
    bench.proxy.end(0, &cut).await.unwrap();
    bench.pair().await;
}

//! A subject that speaks TLS, and a server that does not.

use std::io::ErrorKind;
use std::time::Duration;

use squall_client::Clock;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::super::{Link, Proxy};
use crate::fault::{Act, Answer, Bend, Direction};
use crate::history::{Event, ReplyKind, Wire};
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::world::authority::Authority;

const SOON: Duration = Duration::from_secs(10);
const A_WHILE: Duration = Duration::from_millis(100);

struct Bench {
    proxy: Proxy,
    server: TcpListener,
    recorder: Recorder,
    authority: Authority,
}

type Client = TlsStream<TcpStream>;

impl Bench {
    async fn new() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (recorder, authority) = (Recorder::new(Clock::system()), Authority::make().unwrap());
        let link = Link::over(Some(authority.config()), 3, 1, recorder.clone());
        let proxy = Proxy::of(link, server.local_addr().unwrap()).await.unwrap();
        Self { proxy, server, recorder, authority }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.unwrap()
    }

    /// Speaks TLS, and trusts that authority.
    async fn shake(
        &self,
        trusted: &Authority,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(trusted.file()).unwrap()).unwrap();
        let provider = tokio_rustls::rustls::crypto::ring::default_provider();
        let config = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(std::sync::Arc::new(config)).connect(name, self.tcp().await).await
    }

    async fn client(&self) -> std::io::Result<Client> {
        self.shake(&self.authority, &TLS13).await
    }

    async fn pair(&self) -> (Client, TcpStream) {
        let client = soon(self.client()).await.unwrap();
        (client, soon(self.server.accept()).await.unwrap().0)
    }

    /// What was recorded, once something like `last` was.
    async fn until(&self, last: fn(&Wire) -> bool) -> Vec<Wire> {
        let mut found = Vec::new();
        soon(async {
            while !found.last().is_some_and(last) {
                tokio::task::yield_now().await;
                found.extend(self.recorder.take().into_iter().map(|entry| match entry.e {
                    Event::Wire { instance: 3, what, .. } => what,
                    other => panic!("{other:?}"),
                }));
            }
        })
        .await;
        found
    }

    async fn closed(&self) -> Vec<Wire> {
        self.until(|wire| matches!(wire, Wire::Closed { .. })).await
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("it should have happened by now")
}

/// What comes next, of so many bytes.
async fn read(stream: &mut (impl AsyncRead + Unpin), count: usize) -> Result<String, ErrorKind> {
    let mut bytes = vec![0; count];
    soon(stream.read_exact(&mut bytes)).await.map_err(|error| error.kind())?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// How it ends.
async fn end(stream: &mut (impl AsyncRead + Unpin)) -> Result<usize, ErrorKind> {
    soon(stream.read(&mut [0])).await.map_err(|error| error.kind())
}

fn strike(act: Act, direction: Direction) -> Strike {
    Strike {
        what: String::new(),
        act,
        instances: Vec::new(),
        direction,
        probability: 1.0,
        matching: Default::default(),
        from: 0,
        to: 0,
        of_several: false,
    }
}

fn ended(by: &str) -> Wire {
    Wire::Closed { by: by.to_owned() }
}

fn ping() -> Wire {
    Wire::Command { name: "PING".to_owned(), key: None }
}

#[tokio::test]
async fn what_is_said_reaches_redis_in_the_clear_and_is_recorded() {
    for version in [&TLS12, &TLS13] {
        let bench = Bench::new().await;
        let mut client = soon(bench.shake(&bench.authority, version)).await.unwrap();
        let mut server = soon(bench.server.accept()).await.unwrap().0;
        client.write_all(b"PING\r\n").await.unwrap();
        assert_eq!(read(&mut server, 6).await.unwrap(), "PING\r\n");
        server.write_all(b"$-1\r\n").await.unwrap();
        assert_eq!(read(&mut client, 5).await.unwrap(), "$-1\r\n");
        client.shutdown().await.unwrap();
        assert_eq!(end(&mut server).await, Ok(0));
        drop(server);
        assert_eq!(end(&mut client).await, Ok(0));
        let reply = Wire::Reply { kind: ReplyKind::Null };
        assert_eq!(bench.closed().await, [Wire::Opened, ping(), reply, ended("subject: end")]);
    }
}

#[tokio::test]
async fn much_passes_whole_however_the_way_is_bent() {
    let bench = Bench::new().await;
    let slicer =
        Act::Bend(Bend::Slicer { average_size: 3000, size_variation: 500, delay: Duration::from_micros(10) });
    bench.proxy.begin(0, &strike(slicer, Direction::Both)).await.unwrap();
    let (mut client, mut server) = bench.pair().await;
    let much = format!("${}\r\n{}\r\n", 1_000_000, "x".repeat(1_000_000));
    let (asked, answered) = (format!("*1\r\n{much}"), much);
    let length = (asked.len(), answered.len());
    let sends = async {
        client.write_all(asked.as_bytes()).await.unwrap();
        read(&mut client, length.1).await.unwrap()
    };
    let answers = async {
        let got = read(&mut server, length.0).await.unwrap();
        server.write_all(answered.as_bytes()).await.unwrap();
        got
    };
    let (came, went) = tokio::join!(sends, answers);
    assert!(came == answered && went == asked);
}

#[tokio::test]
async fn a_reset_is_one_and_an_end_is_an_end() {
    let bench = Bench::new().await;
    let (mut client, server) = bench.pair().await;
    server.set_zero_linger().unwrap();
    drop(server);
    assert_eq!(end(&mut client).await, Err(ErrorKind::ConnectionReset));
    let (mut client, _server) = bench.pair().await;
    bench.proxy.reset().await;
    assert_eq!(end(&mut client).await, Err(ErrorKind::ConnectionReset));
    let (mut client, server) = bench.pair().await;
    drop(server);
    assert_eq!(end(&mut client).await, Ok(0));
}

#[tokio::test]
async fn a_handshake_is_held_on_its_way_and_on_its_way_back() {
    for direction in [Direction::Upstream, Direction::Downstream, Direction::Both] {
        let bench = Bench::new().await;
        let stall = strike(Act::Bend(Bend::Hold), direction);
        bench.proxy.begin(0, &stall).await.unwrap();
        let mut client = Box::pin(bench.client());
        assert!(tokio::time::timeout(A_WHILE, &mut client).await.is_err(), "{direction:?}");
        bench.proxy.end(0, &stall).await.unwrap();
        soon(client).await.unwrap();
    }
}

#[tokio::test]
async fn a_handshake_is_slow_to_be_accepted_and_late() {
    for act in [
        Act::SlowAccept { delay: A_WHILE },
        Act::Bend(Bend::Latency { delay: A_WHILE / 2, jitter: Duration::ZERO }),
    ] {
        let bench = Bench::new().await;
        bench.proxy.begin(0, &strike(act, Direction::Both)).await.unwrap();
        let clock = Clock::system();
        soon(bench.client()).await.unwrap();
        assert!(clock.now().as_nanos() >= A_WHILE.as_nanos().try_into().unwrap());
    }
}

#[tokio::test]
async fn a_handshake_is_reset_at_its_first_byte_and_where_too_much_has_passed() {
    let reset = Act::Reset { live: false, new: true };
    for act in [reset, Act::Bend(Bend::LimitData { bytes: 200 })] {
        let bench = Bench::new().await;
        bench.proxy.begin(0, &strike(act, Direction::Both)).await.unwrap();
        let error = soon(bench.client()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(bench.closed().await, [Wire::Opened, ended("world: reset")]);
    }
}

#[tokio::test]
async fn what_left_the_subject_is_recorded_though_it_is_held() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let stall = strike(Act::Bend(Bend::Hold), Direction::Both);
    bench.proxy.begin(0, &stall).await.unwrap();
    client.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(bench.until(|wire| *wire == ping()).await, [Wire::Opened, ping()]);
    assert!(tokio::time::timeout(A_WHILE, server.read_u8()).await.is_err());
    bench.proxy.end(0, &stall).await.unwrap();
    assert_eq!(read(&mut server, 6).await.unwrap(), "PING\r\n");
}

#[tokio::test]
async fn commands_are_struck_as_in_the_clear() {
    let bench = Bench::new().await;
    let (mut client, _server) = bench.pair().await;
    let error = Act::Answer(Answer::Error("LOADING it loads".to_owned()));
    bench.proxy.begin(0, &strike(error.clone(), Direction::Both)).await.unwrap();
    client.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(read(&mut client, 19).await.unwrap(), "-LOADING it loads\r\n");
    bench.proxy.end(0, &strike(error, Direction::Both)).await.unwrap();
    for (answer, came) in [(Answer::Drop, ""), (Answer::Partial, "$4\r\nb")] {
        bench.proxy.begin(1, &strike(Act::Answer(answer), Direction::Both)).await.unwrap();
        let (mut client, mut server) = bench.pair().await;
        client.write_all(b"PING\r\n").await.unwrap();
        assert_eq!(read(&mut server, 6).await.unwrap(), "PING\r\n");
        server.write_all(b"$4\r\nbody\r\n").await.unwrap();
        assert_eq!(read(&mut client, came.len()).await.unwrap(), came);
        assert!(end(&mut client).await.is_err(), "it is cut off");
        bench.proxy.end(1, &strike(Act::Answer(Answer::Drop), Direction::Both)).await.unwrap();
    }
}

#[tokio::test]
async fn what_redis_says_at_once_is_heard_after_the_handshake() {
    let bench = Bench::new().await;
    let client = async { bench.client().await.unwrap() };
    let server = async {
        let mut server = bench.server.accept().await.unwrap().0;
        server.write_all(b"-ERR max number of clients reached\r\n").await.unwrap();
    };
    let (mut client, ()) = soon(async { tokio::join!(client, server) }).await;
    let mut told = String::new();
    soon(client.read_to_string(&mut told)).await.unwrap();
    assert_eq!(told, "-ERR max number of clients reached\r\n");
}

#[tokio::test]
async fn whoever_does_not_speak_tls_is_told() {
    let bench = Bench::new().await;
    let mut client = bench.tcp().await;
    client.write_all(b"*1\r\n$4\r\nPING\r\n").await.unwrap();
    let told = read(&mut client, super::SPEAK_TLS.len()).await.unwrap();
    assert!(told.starts_with("-ERR this port speaks TLS") && told.ends_with("\r\n"), "{told}");
    drop(soon(bench.server.accept()).await.unwrap());
    assert_eq!(end(&mut client).await, Ok(0));
    assert_eq!(bench.closed().await, [Wire::Opened, ended("subject: no TLS")]);
}

#[tokio::test]
async fn whoever_trusts_another_authority_is_known_to_have_refused() {
    let bench = Bench::new().await;
    let error = soon(bench.shake(&Authority::make().unwrap(), &TLS13)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    drop(soon(bench.server.accept()).await.unwrap());
    let closed = bench.closed().await.pop();
    let told = matches!(&closed, Some(Wire::Closed { by }) if by.starts_with("subject: refused TLS"));
    assert!(told, "{closed:?}");
}

#[tokio::test]
async fn whoever_gives_up_in_a_handshake_leaves_nothing() {
    for begun in [&b""[..], &[22, 3, 1]] {
        let bench = Bench::new().await;
        let mut client = bench.tcp().await;
        client.write_all(begun).await.unwrap();
        client.shutdown().await.unwrap();
        let mut server = soon(bench.server.accept()).await.unwrap().0;
        assert_eq!(end(&mut server).await, Ok(0));
        drop(server);
        assert_eq!(bench.closed().await, [Wire::Opened, ended("subject: end")]);
        assert_eq!(bench.proxy.connections(), 0);
    }
}

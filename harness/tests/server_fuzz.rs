//! Garbage on the embedded server's connections: it never panics, never takes memory for what was only announced, and goes on
//! serving others. Runs for `SQUALL_FUZZ_SECONDS`, three by default, with another seed for every round.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use squall::server::{Config, Server};
use squall_client::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Pieces that garbage is made of, for bytes alone seldom come near a request.
const PIECES: &[&str] = &[
    "*1\r\n$4\r\nPING\r\n",
    "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n",
    "*1\r\n$5\r\nMULTI\r\n",
    "*1\r\n$4\r\nEXEC\r\n",
    "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
    "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n",
    "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\nm\r\n",
    "*3\r\n$4\r\nEVAL\r\n$35\r\nreturn {KEYS, ARGV, redis.call('x')}\r\n$1\r\n0\r\n",
    "*1048576\r\n",
    "*1048577\r\n",
    "*2147483647\r\n",
    "*-1\r\n",
    "*0\r\n",
    "$536870912\r\n",
    "$536870913\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n",
    "PING\r\n",
    "SET k \"a\\x41\" 'b\r\n",
    "CLIENT KILL ID 1 SKIPME no\r\n",
    "CLIENT REPLY SKIP\r\n",
    "SCAN 18446744073709551615 COUNT 9223372036854775807\r\n",
    "SETRANGE k 999999 x\r\n",
    "LRANGE l -9223372036854775808 9223372036854775807\r\n",
    "ZADD z nan a inf b -inf c\r\n",
    "SRANDMEMBER s -9223372036854775808\r\n",
    "EXPIRE k 9223372036854775807\r\n",
    "GETRANGE k -9223372036854775808 -9223372036854775808\r\n",
    "QUIT\r\n",
    "\r\n",
    "\n",
    "*",
    "$",
    "\0",
    "\u{fffd}",
];

/// Memory is the whole process's: those who measure it run one after the other.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn server() -> Server {
    Server::new(Config::new("7.0.15", 1, Arc::new(|| 1_700_000_000_000_000)))
}

/// Bytes to send: pieces, cut and changed here and there.
fn garbage(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(1..40) {
        let piece = PIECES[random.random_range(0..PIECES.len())].as_bytes();
        match random.random_range(0..10) {
            0 => bytes.extend_from_slice(&piece[..random.random_range(0..=piece.len())]),
            1 => bytes.extend((0..random.random_range(0..50)).map(|_| random.random::<u8>())),
            2 => {
                let at = bytes.len();
                bytes.extend_from_slice(piece);
                let changed = random.random_range(at..bytes.len());
                bytes[changed] = random.random();
            }
            _ => bytes.extend_from_slice(piece),
        }
    }
    bytes
}

/// Sends bytes in chunks, reads all that comes, and leaves.
async fn send(server: &Server, bytes: &[u8], chunk: usize) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let (mut reader, mut writer) = tokio::io::split(ours);
    let write = async move {
        for piece in bytes.chunks(chunk) {
            // The server may have ended the connection.
            if writer.write_all(piece).await.is_err() {
                break;
            }
        }
        let _ = writer.shutdown().await;
    };
    let read = async move {
        let mut sink = vec![0; 8192];
        while reader.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    };
    tokio::join!(server.serve(theirs), write, read);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Memory that this process has taken, in kilobytes; 0 where the system does not tell.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}

#[test]
fn garbage_breaks_nothing() {
    let seconds = std::env::var("SQUALL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let _alone = alone();
    runtime().block_on(async {
        let (clock, mut server) = (Clock::system(), server());
        let end = clock.unix_ms() + Duration::from_secs(seconds).as_millis() as u64;
        let (mut rounds, before) = (0, resident_kb());
        while clock.unix_ms() < end {
            let mut random = ChaCha8Rng::seed_from_u64(rounds);
            let bytes = garbage(&mut random);
            send(&server, &bytes, random.random_range(1..200)).await;
            assert_eq!(server.connections(), 0, "round {rounds}");
            rounds += 1;
            if rounds % 1000 == 0 {
                server = self::server();
            }
        }
        let grown = resident_kb().saturating_sub(before) / 1024;
        assert!(grown < 200, "{grown} MB more after {rounds} rounds");
        eprintln!("{rounds} rounds of garbage, {grown} MB more");
    });
}

#[test]
fn requests_may_be_split_anywhere() {
    let stream = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\nGET k\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nECHO \"a b\"\r\nQUIT\r\n";
    let whole = "+OK\r\n$5\r\nvalue\r\n$5\r\nvalue\r\n$3\r\na b\r\n+OK\r\n";
    let _alone = alone();
    runtime().block_on(async {
        for split in 0..stream.len() {
            let server = server();
            let (mut ours, theirs) = tokio::io::duplex(4096);
            let client = async {
                for part in [&stream[..split], &stream[split..]] {
                    ours.write_all(part.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
                let mut read = String::new();
                ours.read_to_string(&mut read).await.unwrap();
                read
            };
            let (read, ()) = tokio::join!(client, server.serve(theirs));
            assert_eq!(read, whole, "split at {split}");
        }
    });
}

#[test]
fn a_stream_that_is_cut_short_ends_its_connection_only() {
    let stream =
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nk\r\n";
    let _alone = alone();
    runtime().block_on(async {
        let server = server();
        for end in 0..=stream.len() {
            send(&server, &stream.as_bytes()[..end], 7).await;
            assert_eq!(server.connections(), 0);
        }
        assert_eq!(server.text(b"k").as_deref(), Some(&b"value"[..]));
    });
}

#[test]
fn announced_lengths_take_no_memory() {
    let _alone = alone();
    runtime().block_on(async {
        let server = server();
        let before = resident_kb();
        let mut open = Vec::new();
        for _ in 0..200 {
            let (mut ours, theirs) = tokio::io::duplex(4096);
            let serving = server.clone();
            let local = async move { serving.serve(theirs).await };
            let mut local = Box::pin(local);
            ours.write_all(b"*1048576\r\n$536870912\r\nabc").await.unwrap();
            let waited = tokio::time::timeout(Duration::from_millis(1), &mut local).await;
            assert!(waited.is_err(), "it waits for the rest");
            open.push((ours, local));
        }
        let grown = resident_kb().saturating_sub(before) / 1024;
        assert!(grown < 50, "200 connections that announce 512 MB take {grown} MB");
    });
}

#[test]
fn idle_connections_take_little() {
    let _alone = alone();
    runtime().block_on(async {
        let server = server();
        let before = resident_kb();
        let mut open = Vec::new();
        for _ in 0..10_000 {
            // Streams without buffers of their own: only the server's part is measured.
            let (mut ours, theirs) = tokio::io::duplex(16);
            let serving = server.clone();
            let mut serve = Box::pin(async move { serving.serve(theirs).await });
            ours.write_all(b"PING\r\n").await.unwrap();
            std::future::poll_fn(|context| {
                assert!(serve.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            open.push((ours, serve));
        }
        assert_eq!(server.connections(), 10_000);
        let each = resident_kb().saturating_sub(before) * 1024 / 10_000;
        eprintln!("{each} bytes for each idle connection, its stream included");
        assert!(each < 4096, "{each} bytes for each idle connection");
    });
}

//! What the embedded server costs by itself: requests that are there already are read, run and answered into nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use squall::server::{Config, Server};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Runtime;

const MERGE: &str = include_str!("../client/src/core/merge.lua");
/// Requests in one go.
const REQUESTS: u64 = 1000;
/// When the server believes it is, in milliseconds since 1970.
const NOW_MS: u64 = 1_700_000_000_000;

/// A stream that holds requests and forgets replies.
struct Tape {
    requests: Arc<Vec<u8>>,
    read: usize,
}

impl AsyncRead for Tape {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.requests[self.read..];
        let count = rest.len().min(into.remaining());
        into.put_slice(&rest[..count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tape {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn request(words: &[&str]) -> Vec<u8> {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), words.collect::<String>()).into_bytes()
}

fn tape(request: impl Fn(u64) -> Vec<u8>) -> Arc<Vec<u8>> {
    Arc::new((0..REQUESTS).flat_map(request).collect())
}

/// A session as the client stores it.
fn record(version: u64) -> String {
    let (version, expires, value) = (format!("{version:024x}"), NOW_MS + 60_000, "v".repeat(350));
    format!("sq1;{version}00{version}{expires:012x}00{version}00000000{value}")
}

fn embedded(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let server = Server::new(Config::new("7.0.15", 1, Arc::new(|| NOW_MS * 1000)));
    let loaded = runtime.block_on(async {
        let requests = tape(|number| request(&["SET", &format!("session:{number}"), &"v".repeat(350)]));
        server.serve(Tape { requests, read: 0 }).await;
        let load = Arc::new(request(&["EVAL", MERGE, "2", "a", "b", "", "", "0", "0", ""]));
        server.serve(Tape { requests: load, read: 0 }).await;
        let sha = redis::Script::new(MERGE).get_hash().to_owned();
        move |number: u64, version: u64| {
            let (key, tombstone) = (format!("merged:{number}"), format!("{{merged:{number}}}:tomb"));
            request(&["EVALSHA", &sha, "2", &key, &tombstone, &record(version), "", "0", "1000", ""])
        }
    });
    let value = "v".repeat(350);
    let kinds: [(&str, Arc<Vec<u8>>); 5] = [
        ("PING", tape(|_| request(&["PING"]))),
        ("GET of 350 bytes", tape(|number| request(&["GET", &format!("session:{number}")]))),
        (
            "SET of 350 bytes with expiry",
            tape(|number| {
                request(&["SET", &format!("session:{number}"), &value, "PX", &format!("{}", 60_000 + number)])
            }),
        ),
        ("the client's merge, nothing new", tape(|number| loaded(number, 1))),
        ("the client's merge, a newer value", tape(|number| loaded(number % 10, 2 + number))),
    ];
    let mut group = criterion.benchmark_group("embedded server");
    group.throughput(Throughput::Elements(REQUESTS));
    for (name, requests) in kinds {
        let tape = || Tape { requests: Arc::clone(&requests), read: 0 };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(tape, |tape| runtime.block_on(server.serve(tape)), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, embedded);
criterion_main!(benches);

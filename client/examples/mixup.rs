//! Does a reply ever reach another call than its own? Many operations at once on few connections that break and stall at random, many of
//! them given up by their callers.
//!
//! ```text
//! cargo run --release -p squall-client --example mixup -- [OPERATIONS, 10000000] [SEED, 1]
//! ```
//! It starts a redis-server of its own. Each session's value is its id, and each record in Redis carries a check over the id: a reply
//! that reached another call would be a wrong value, or a damaged one.

mod support;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use squall_client::{
    BoxStream, Clock, Connect, Connecting, Endpoint, Environment, Lookup, ServedBy, SessionClient,
    SessionError, Settings, Tcp,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use support::{Server, say};

const SESSIONS: u64 = 10_000;
const TASKS: u64 = 64;
const HOUR: Duration = Duration::from_secs(3600);

/// Connections that break and stall at random.
struct Shaky {
    tcp: Tcp,
    seed: u64,
    opened: AtomicU64,
    cuts: Arc<AtomicU64>,
    stalls: Arc<AtomicU64>,
}

struct Stream {
    inner: BoxStream,
    chance: ChaCha8Rng,
    stall: Option<Pin<Box<Sleep>>>,
    cuts: Arc<AtomicU64>,
    stalls: Arc<AtomicU64>,
}

impl Connect for Shaky {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            let inner = self.tcp.connect().await?;
            let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
            chance.set_stream(self.opened.fetch_add(1, Ordering::Relaxed));
            let (cuts, stalls) = (Arc::clone(&self.cuts), Arc::clone(&self.stalls));
            Ok(Box::pin(Stream { inner, chance, stall: None, cuts, stalls }) as BoxStream)
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(stall) = &mut this.stall {
            ready!(stall.as_mut().poll(context));
            this.stall = None;
        }
        match this.chance.random_range(0..20_000) {
            0 => {
                this.cuts.fetch_add(1, Ordering::Relaxed);
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            1 => {
                this.stalls.fetch_add(1, Ordering::Relaxed);
                let length = Duration::from_millis(this.chance.random_range(1..80));
                let mut stall = Box::pin(tokio::time::sleep(length));
                if stall.as_mut().poll(context).is_pending() {
                    this.stall = Some(stall);
                    return Poll::Pending;
                }
            }
            _ => {}
        }
        this.inner.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_shutdown(context)
    }
}

/// How operations ended.
#[derive(Default)]
struct Ends {
    by_redis: AtomicU64,
    by_memory: AtomicU64,
    given_up: AtomicU64,
    unknown: AtomicU64,
    wrong: AtomicU64,
}

impl Ends {
    fn count(&self, id: &str, end: Option<Result<Lookup, SessionError>>) {
        let counter = match end {
            None => &self.given_up,
            Some(Ok(Lookup::Found { session, served_by })) if session.value == id.as_bytes() => {
                match served_by {
                    ServedBy::Redis => &self.by_redis,
                    ServedBy::Local => &self.by_memory,
                }
            }
            Some(Ok(Lookup::Unknown { .. }) | Err(SessionError::Call(_))) => &self.unknown,
            // Another value, none, or a damaged one.
            Some(Ok(Lookup::Found { .. } | Lookup::Absent { .. }) | Err(_)) => &self.wrong,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

async fn work(client: SessionClient, ends: Arc<Ends>, operations: u64, mut chance: ChaCha8Rng) {
    for _ in 0..operations {
        let id = format!("s{}", chance.random_range(0..SESSIONS));
        let end = if chance.random_bool(0.1) {
            // A caller without patience: at once, or in a moment.
            let patience = Duration::from_micros(chance.random_range(0..2000));
            tokio::time::timeout(patience, client.get(&id)).await.ok()
        } else {
            Some(client.get(&id).await)
        };
        ends.count(&id, end);
    }
}

#[tokio::main]
async fn main() {
    let argument = |place, otherwise: u64| match std::env::args().nth(place) {
        Some(text) => text.parse().unwrap_or_else(|_| panic!("{text:?} is no whole number")),
        None => otherwise,
    };
    let (operations, seed) = (argument(1, 10_000_000), argument(2, 1));
    let port = support::free_port();
    let _server = Server::start(port).await;

    let mut settings = Settings { operation_timeout: Duration::from_millis(40), ..Settings::default() };
    // An open breaker would have memory answer nearly everything.
    settings.breaker.enabled = false;
    let (cuts, stalls) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let shaky = Shaky {
        tcp: Tcp { host: "127.0.0.1".to_owned(), port, keepalive: settings.keepalive.clone() },
        seed,
        opened: AtomicU64::new(0),
        cuts: Arc::clone(&cuts),
        stalls: Arc::clone(&stalls),
    };
    let environment = Environment { seed, ..Environment::new(1) };
    let client =
        SessionClient::start(settings, Endpoint::new(Arc::new(shaky)), environment).expect("it starts");
    for number in 0..SESSIONS {
        let id = format!("s{number}");
        client.create(&id, Bytes::from(id.clone()), HOUR).await.expect("it is accepted");
    }

    let (ends, clock) = (Arc::<Ends>::default(), Clock::system());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(1 << 32 | task);
        tasks.spawn(work(client.clone(), Arc::clone(&ends), operations / TASKS, chance));
    }
    tasks.join_all().await;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    say(&format!(
        "{} operations in {:.0} s, seed {seed}: {} answered by Redis, {} by memory, {} given up, {} unknown",
        operations / TASKS * TASKS,
        clock.now().since(squall_client::Time::START).as_secs_f64(),
        read(&ends.by_redis),
        read(&ends.by_memory),
        read(&ends.given_up),
        read(&ends.unknown)
    ));
    let wrong = read(&ends.wrong) + client.stats().damaged;
    say(&format!(
        "{} connections cut, {} stalled; replies for the wrong session: {wrong}",
        read(&cuts),
        read(&stalls)
    ));
    assert_eq!(wrong, 0);
}

//! How an outage and the recovery from it feel: memory while Redis is away, how long a large backlog takes when it is back, and
//! what the callers notice of that.
//!
//! ```text
//! cargo run --release -p squall-client --example recovery -- [MINUTES of outage, 1] [SESSIONS, 100000] [CALLS a second, 2000]
//! ```
//! It starts a redis-server of its own, kills it, and starts it again, empty.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;
use squall_client::{Clock, Endpoint, Environment, Lookup, Profile, SessionClient, Tcp};

use support::{Server, say};

const HOUR: Duration = Duration::from_secs(3600);
const CALM: Duration = Duration::from_secs(10);

/// Callers that come at their own pace, whatever becomes of those before them.
struct Callers {
    client: SessionClient,
    clock: Clock,
    sessions: u64,
    sent: AtomicU64,
    /// How long operations took, in microseconds.
    took: Mutex<Histogram<u64>>,
    failed: AtomicU64,
}

impl Callers {
    async fn call(&self) {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        // All of them in turn, in an order that jumps about.
        let id = format!("s{}", (number / 2).wrapping_mul(48_271) % self.sessions);
        let began = self.clock.now();
        let fine = match number % 2 {
            0 => matches!(self.client.get(&id).await, Ok(Lookup::Found { .. })),
            _ => self.client.update(&id, value(number)).await.is_ok(),
        };
        let took = u64::try_from(self.clock.now().since(began).as_micros()).unwrap_or(u64::MAX);
        self.took.lock().expect("no panic").saturating_record(took);
        self.failed.fetch_add(u64::from(!fine), Ordering::Relaxed);
    }

    /// What they met since this was asked last.
    fn report(&self, phase: &str) {
        let mut took = self.took.lock().expect("no panic");
        let milliseconds = |quantile| took.value_at_quantile(quantile) as f64 / 1000.0;
        say(&format!(
            "{phase:28} {:9} calls, {} failed; p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms; resident {} MiB",
            took.len(),
            self.failed.swap(0, Ordering::Relaxed),
            milliseconds(0.5),
            milliseconds(0.99),
            milliseconds(0.999),
            resident_mib(),
        ));
        took.reset();
    }
}

/// Calls at this rate, for ever.
async fn call_at(callers: Arc<Callers>, rate: u64) {
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut due = 0.0;
    loop {
        tick.tick().await;
        due += rate as f64 / 1000.0;
        while due >= 1.0 {
            due -= 1.0;
            let callers = Arc::clone(&callers);
            tokio::spawn(async move { callers.call().await });
        }
    }
}

#[tokio::main]
async fn main() {
    let argument = |place, otherwise| match std::env::args().nth(place) {
        Some(text) => text.parse().unwrap_or_else(|_| panic!("{text:?} is no whole number")),
        None => otherwise,
    };
    let (minutes, sessions, rate): (u64, u64, u64) =
        (argument(1, 1), argument(2, 100_000), argument(3, 2000));
    let port = support::free_port();
    let clock = Clock::system();
    let mut server = Server::start(port).await;

    let mut settings = Profile::Chatbot.settings();
    settings.local.sessions = sessions * 2;
    settings.local.bytes = 1 << 30;
    let tcp = Tcp { host: "127.0.0.1".to_owned(), port, keepalive: settings.keepalive.clone() };
    let client =
        SessionClient::start(settings, Endpoint::new(Arc::new(tcp)), Environment::new(1)).expect("it starts");
    for number in 0..sessions {
        client.create(&format!("s{number}"), value(number), HOUR).await.expect("it is accepted");
    }
    let callers = Arc::new(Callers {
        client: client.clone(),
        clock: clock.clone(),
        sessions,
        sent: AtomicU64::new(0),
        took: Mutex::new(Histogram::new(3).expect("three digits")),
        failed: AtomicU64::new(0),
    });
    let calling = tokio::spawn(call_at(Arc::clone(&callers), rate));
    tokio::time::sleep(CALM).await;
    callers.report("before");

    server.kill();
    for minute in 1..=minutes {
        tokio::time::sleep(Duration::from_secs(60)).await;
        callers.report(&format!("outage, minute {minute}"));
    }
    let dirty = client.stats().dirty;
    server = Server::start(port).await;
    let back = clock.now();
    while client.stats().dirty == dirty {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    callers.report("until the breaker closed");
    let began = clock.now();
    while client.stats().dirty > rate / 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    callers.report("recovery");
    say(&format!(
        "{dirty} sessions waited; the breaker closed after {:.1} s, and they were there {:.1} s later",
        began.since(back).as_secs_f64(),
        clock.now().since(began).as_secs_f64()
    ));
    tokio::time::sleep(CALM).await;
    callers.report("after");
    calling.abort();
    client.shutdown().await;
    server.kill();
}

fn value(number: u64) -> Bytes {
    Bytes::from(format!("{number:0300}"))
}

/// Memory that this process occupies.
fn resident_mib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * 4096 / (1 << 20)
}

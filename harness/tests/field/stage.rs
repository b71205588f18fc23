//! A redis-server with a fault proxy before it, and the clients that reach it through that.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::fault::{Act, Direction};
use squall::history::{Event as Recorded, Wire};
use squall::link::Proxy;
use squall::plan::Strike;
use squall::recorder::Recorder;
use squall::subject::Route;
use squall::world::local::{Local, Redis};
use squall::world::{Login, World as _};
use squall_client::{Clock, Endpoint, Environment, Event, SessionClient, Settings, Tcp, Time};

/// How long anything may take that takes no time.
const SOON: Duration = Duration::from_secs(10);

/// What a machine that is busy adds to a wait. Every bound on a time has it on top.
pub(crate) const SLACK: Duration = Duration::from_millis(400);

/// A server, and the proxy that clients reach it by.
pub(crate) struct Stage {
    server: Local,
    proxy: Proxy,
    recorder: Recorder,
    seen: Mutex<Vec<Recorded>>,
    strikes: AtomicU32,
    pub(crate) clock: Clock,
}

/// A client, and all that it tells.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) sessions: SessionClient,
    events: Arc<Mutex<Vec<Event>>>,
}

/// A fault that has begun.
pub(crate) struct Struck {
    number: u32,
    strike: Strike,
    /// When it began.
    pub(crate) since: Time,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let clock = Clock::system();
        let (recorder, beside) = (Recorder::new(clock.clone()), Recorder::new(clock.clone()));
        let server = Local::start(&Redis::Own { program: None }, 1, 1, &beside, Login::default(), &|_| {})
            .await
            .unwrap();
        let upstream = ([127, 0, 0, 1], port(&server)).into();
        let proxy = Proxy::listen(0, 1, upstream, recorder.clone()).await.unwrap();
        Self { server, proxy, recorder, seen: Mutex::default(), strikes: AtomicU32::new(0), clock }
    }

    /// The port that clients connect to.
    pub(crate) fn port(&self) -> u16 {
        self.proxy.address().port()
    }

    /// The server's own port, past the faults.
    pub(crate) fn server_port(&self) -> u16 {
        port(&self.server)
    }

    /// Carries new connections to another stage's server. Those that are open stay.
    pub(crate) fn move_to(&self, other: &Self) {
        self.proxy.forward_to(([127, 0, 0, 1], other.server_port()).into());
    }

    /// A client of it.
    pub(crate) fn client(&self, settings: &Settings, writer: u32) -> Client {
        let tcp =
            Tcp { host: "127.0.0.1".to_owned(), port: self.port(), keepalive: settings.keepalive.clone() };
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&events);
        let observer = Arc::new(move |event: &Event| log.lock().unwrap().push(event.clone()));
        let seed = u64::from(writer);
        let environment =
            Environment { clock: self.clock.clone(), seed, writer, observer, disk: None, seal: None };
        let endpoint = Endpoint::new(Arc::new(tcp));
        let sessions = SessionClient::start(settings.clone(), endpoint, environment).unwrap();
        Client { sessions, events }
    }

    /// What a command brings, past all faults.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(("127.0.0.1", self.server_port())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query_async(&mut connection).await.unwrap()
    }

    /// A fault begins.
    pub(crate) async fn begin(&self, act: Act) -> Struck {
        self.begin_strike(strike(act)).await
    }

    pub(crate) async fn begin_strike(&self, strike: Strike) -> Struck {
        let number = self.strikes.fetch_add(1, Ordering::SeqCst);
        let since = self.clock.now();
        match strike.act {
            Act::Server(_) => self.server.begin(number, &strike).await.unwrap(),
            _ => self.proxy.begin(number, &strike).await.unwrap(),
        }
        Struck { number, strike, since }
    }

    /// It ends.
    pub(crate) async fn end(&self, struck: &Struck) {
        match struck.strike.act {
            Act::Server(_) => self.server.end(struck.number, &struck.strike).await.unwrap(),
            _ => self.proxy.end(struck.number, &struck.strike).await.unwrap(),
        }
    }

    /// How many connections clients have opened so far.
    pub(crate) fn opened(&self) -> u64 {
        self.count(|what| *what == Wire::Opened)
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> u64 {
        self.proxy.connections()
    }

    /// How often something has crossed the wire so far.
    pub(crate) fn count(&self, such: impl Fn(&Wire) -> bool) -> u64 {
        let mut seen = self.seen.lock().unwrap();
        seen.extend(self.recorder.take().into_iter().map(|entry| entry.e));
        let such = seen.iter().filter(|event| matches!(event, Recorded::Wire { what, .. } if such(what)));
        such.count() as u64
    }

    /// Ends the server.
    pub(crate) async fn close(self) {
        self.server.close().await.unwrap();
    }
}

impl Client {
    /// How many of the events that it has told are such.
    pub(crate) fn count(&self, such: impl Fn(&Event) -> bool) -> u64 {
        self.events.lock().unwrap().iter().filter(|event| such(event)).count() as u64
    }
}

/// A fault that strikes everything that it can.
pub(crate) fn strike(act: Act) -> Strike {
    Strike {
        what: String::new(),
        act,
        instances: Vec::new(),
        of_several: false,
        direction: Direction::Both,
        probability: 1.0,
        matching: Default::default(),
        from: 0,
        to: 60_000_000_000,
    }
}

/// Waits until `such` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, such: impl Fn() -> F) {
    within(SOON, what, such).await;
}

/// Waits until `such` holds, which it must within `limit`.
pub(crate) async fn within<F: Future<Output = bool>>(limit: Duration, what: &str, such: impl Fn() -> F) {
    let waiting = async {
        while !such().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(limit, waiting).await;
    assert!(waited.is_ok(), "not within {limit:?}: {what}");
}

fn port(server: &Local) -> u16 {
    match server.route(1) {
        Route::Tcp { port, .. } => port,
        Route::Streams { .. } | Route::Sentinel { .. } | Route::Cluster { .. } => {
            panic!("this world is reached by TCP")
        }
    }
}

//! A real redis-server, from PATH, on a port of its own.

use std::future::Future;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use squall_client::{
    Clock, Endpoint, Environment, Event, Lookup, Mode, ServedBy, SessionClient, Settings, Tcp,
};

/// A redis-server that is killed when it goes out of scope.
pub(crate) struct Redis {
    pub(crate) port: u16,
    options: Vec<String>,
    child: Option<Child>,
    /// Where a replica lays what it was sent.
    folder: tempfile::TempDir,
}

/// A client and all that it has told.
pub(crate) struct Told {
    pub(crate) client: SessionClient,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
}

impl Redis {
    /// Starts one, without data. `None`, said on stderr, if there is none on this machine.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(Vec::new()).await
    }

    /// Starts one with these options on its command line.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) async fn start_with(options: Vec<String>) -> Option<Self> {
        let installed = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
        if !installed {
            assert!(std::env::var_os("CI").is_none(), "CI must have redis-server on its PATH");
            eprintln!("SKIPPED: no redis-server on PATH");
            return None;
        }
        let mut redis =
            Self { port: free_port(), options, child: None, folder: tempfile::tempdir().expect("a folder") };
        redis.start_again().await;
        Some(redis)
    }

    /// Starts it again, without the data it had.
    pub(crate) async fn start_again(&mut self) {
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(&self.options)
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("redis-server starts"));
        let client = self.client();
        eventually("redis-server answers", || async {
            client.get_multiplexed_async_connection().await.is_ok()
        })
        .await;
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child ends");
        }
    }

    /// Stops it: it keeps its connections, and answers nothing.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    /// A connection beside all clients.
    pub(crate) async fn side(&self) -> MultiplexedConnection {
        // What a test asks for beside may be large, on a machine that is busy.
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
        let side = self.client().get_multiplexed_async_connection_with_config(&config).await;
        side.expect("redis-server answers")
    }

    /// What a command brings.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.side().await).await.expect("the command is right")
    }

    /// How often the server has executed these commands, within scripts too.
    pub(crate) async fn calls(&self, command: &str) -> u64 {
        let stats: String = self.ask(&["INFO", "commandstats"]).await;
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
    }

    /// A client of it.
    pub(crate) fn session_client(&self, writer: u32, settings: &Settings) -> Told {
        self.session_client_at(writer, settings, Clock::system())
    }

    /// A client of it with a clock of its own.
    pub(crate) fn session_client_at(&self, writer: u32, settings: &Settings, clock: Clock) -> Told {
        let tcp =
            Tcp { host: "127.0.0.1".to_owned(), port: self.port, keepalive: settings.keepalive.clone() };
        told(Endpoint::new(Arc::new(tcp)), writer, settings, clock)
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(("127.0.0.1", self.port)).expect("an address")
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    }
}

/// A client of an endpoint, and all that it tells.
pub(crate) fn told(endpoint: Endpoint, writer: u32, settings: &Settings, clock: Clock) -> Told {
    told_in(endpoint, settings, Environment { clock, seed: u64::from(writer), ..Environment::new(writer) })
}

/// A client in surroundings of its own, and all that it tells.
pub(crate) fn told_in(endpoint: Endpoint, settings: &Settings, environment: Environment) -> Told {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let observer = Arc::new(move |event: &Event| log.lock().expect("no panic").push(event.clone()));
    let environment = Environment { observer, ..environment };
    let client =
        SessionClient::start(settings.clone(), endpoint, environment).expect("the settings are in range");
    Told { client, events }
}

/// A port that nobody listens on just now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port()
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Told {
    /// Waits until nothing is dirty.
    pub(crate) async fn clean(&self) {
        eventually("nothing is dirty", || async { self.client.stats().dirty == 0 }).await;
    }

    /// How many events are such.
    pub(crate) fn count(&self, such: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().expect("no panic").iter().filter(|event| such(event)).count()
    }
}

/// Settings that make outages short.
pub(crate) fn quick() -> Settings {
    let mut settings = Settings {
        connect_timeout: Duration::from_millis(300),
        operation_timeout: Duration::from_millis(100),
        deadline: Duration::from_millis(600),
        ..Settings::default()
    };
    settings.breaker.cool_down = Duration::from_millis(200);
    settings.breaker.cool_down_max = Duration::from_millis(400);
    settings.breaker.probe_lease = Duration::from_millis(300);
    settings.retry.retries = 0;
    settings.resync.start_delay_max = Duration::from_millis(20);
    settings
}

/// Waits until `such` holds, at most ten seconds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, such: impl Fn() -> F) {
    let waiting = async {
        while !such().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    assert!(waited.is_ok(), "not within ten seconds: {what}");
}

/// A TTL that no test outlives.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A value.
pub(crate) fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Creates a session.
pub(crate) async fn create(told: &Told, id: &str, text: &str, ttl: Duration) -> ServedBy {
    told.client.create(id, value(text), ttl).await.expect("a session can be created").served_by
}

/// What a client that knows nothing but what Redis tells it reads.
pub(crate) async fn fresh(redis: &Redis, id: &str) -> Option<String> {
    let told = redis.session_client(99, &quick());
    read(&told, id).await
}

/// What a client reads, which must know whether there is such a session.
pub(crate) async fn read(told: &Told, id: &str) -> Option<String> {
    match told.client.get(id).await.expect("it can be asked") {
        Lookup::Found { session, .. } => Some(String::from_utf8_lossy(&session.value).into_owned()),
        Lookup::Absent { .. } => None,
        Lookup::Unknown { because } => panic!("{id} is unknown: {because}"),
    }
}

/// Who serves from then on, if the event says so.
pub(crate) fn mode(event: &Event) -> Option<Mode> {
    if let Event::Mode { to, .. } = event { Some(*to) } else { None }
}

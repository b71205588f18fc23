//! What the benches share: a redis-server of their own, and clients of it; and long histories that are made up.

pub mod made_up;

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use squall_client::{Endpoint, Environment, SessionClient, Settings, Tcp};
use tokio::time::{sleep, timeout};

/// A TTL that no bench outlives.
pub const HOUR: Duration = Duration::from_secs(3600);

/// Sessions that the benches read and write.
pub const SESSIONS: u64 = 1000;

/// How long a redis-server may take until it answers.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A redis-server on a free port of this machine, without persistence. It ends with its owner.
pub struct Server {
    port: u16,
    process: Child,
}

impl Server {
    /// Starts one and waits until it answers. `None`, said on stderr, where there is no redis-server on the PATH; CI must
    /// have one.
    #[expect(clippy::print_stderr, reason = "a bench that is skipped says so")]
    pub async fn start() -> Option<Self> {
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port();
        let started = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = started else {
            assert!(std::env::var_os("CI").is_none(), "CI must have redis-server on its PATH");
            eprintln!("SKIPPED: no redis-server on PATH");
            return None;
        };
        let server = Self { port, process };
        let answers = async {
            while server.connect().await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(STARTS_WITHIN, answers).await.expect("redis-server answers");
        Some(server)
    }

    /// A multiplexed connection of redis-rs and nothing else.
    pub async fn raw(&self) -> MultiplexedConnection {
        self.connect().await.expect("redis-server answers")
    }

    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(("127.0.0.1", self.port))?.get_multiplexed_async_connection().await
    }

    /// A session client with one connection, as [`raw`](Self::raw) has, and sessions `0` to [`SESSIONS`] with this value.
    pub async fn client(&self, value: &[u8]) -> SessionClient {
        let mut settings = Settings::default();
        settings.pool.connections = 1;
        // Long enough that a breaker, once open, stays so for the whole bench.
        settings.breaker.cool_down = HOUR;
        settings.breaker.cool_down_max = HOUR;
        let tcp =
            Tcp { host: "127.0.0.1".to_owned(), port: self.port, keepalive: settings.keepalive.clone() };
        let environment = Environment { seed: 1, ..Environment::new(1) };
        let client = SessionClient::start(settings, Endpoint::new(Arc::new(tcp)), environment)
            .expect("the settings are in range");
        for number in 0..SESSIONS {
            let value = bytes::Bytes::copy_from_slice(value);
            client.create(&id(number), value, HOUR).await.expect("redis accepts it");
        }
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _dead_already = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// The name of a session; the numbers go round.
pub fn id(number: u64) -> String {
    (number % SESSIONS).to_string()
}

//! The server container: Redis or Valkey, stopped and started by faults, and looked into from the side.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use testcontainers_modules::redis::Redis;
use testcontainers_modules::testcontainers::runners::AsyncRunner as _;
use testcontainers_modules::testcontainers::{ContainerAsync, ImageExt as _};
use tokio::sync::Mutex;

use super::super::{WorldError, failed};
use super::STARTUP_WITHIN;
use super::engine::{Engine, name_and_tag};
use crate::history::Left;

const PORT: u16 = 6379;

/// How long one look from the side may take.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Server {
    engine: Engine,
    network: String,
    name: String,
    id: String,
    container: Mutex<Option<ContainerAsync<Redis>>>,
    by_bridge: AtomicBool,
    /// A connection straight to the server, kept between looks.
    side: Mutex<Option<MultiplexedConnection>>,
    struck: Mutex<Struck>,
}

/// How many strikes keep it stopped or paused just now.
#[derive(Default)]
struct Struck {
    down: u32,
    paused: u32,
}

impl Server {
    /// Starts it, with no persistence of its own accord: what is kept over a restart is the fault's decision.
    pub(super) async fn start(engine: &Engine, network: &str, image: &str) -> Result<Self, WorldError> {
        let (image_name, tag) = name_and_tag(image);
        let program = if image_name.contains("valkey") { "valkey-server" } else { "redis-server" };
        let name = engine.container_name("redis");
        let request = Redis::default()
            .with_name(image_name)
            .with_tag(tag)
            .with_cmd([program, "--protected-mode", "no", "--save", "", "--appendonly", "no"])
            .with_network(network)
            .with_container_name(&name)
            .with_labels(engine.labels())
            .with_mapped_port(0, testcontainers_modules::testcontainers::core::ContainerPort::Tcp(PORT))
            .with_startup_timeout(STARTUP_WITHIN);
        let container = request.start().await.map_err(failed("start Redis"))?;
        Ok(Self {
            engine: engine.clone(),
            network: network.to_owned(),
            name,
            id: container.id().to_owned(),
            container: Mutex::new(Some(container)),
            by_bridge: AtomicBool::new(true),
            side: Mutex::new(None),
            struck: Mutex::default(),
        })
    }

    /// Its name on the network.
    pub(super) fn name(&self) -> String {
        format!("{}:{PORT}", self.name)
    }

    /// Whether it is reached by its address on the bridge, or by its published port.
    pub(super) fn reach_by(&self, bridge: bool) {
        self.by_bridge.store(bridge, Ordering::Relaxed);
    }

    /// Such as `redis 7.0.15`.
    pub(super) async fn version(&self) -> Result<String, WorldError> {
        let info: String = self.ask(redis::cmd("INFO").arg("server")).await?;
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let valkey = field("valkey_version:").map(|version| format!("valkey {version}"));
        Ok(valkey
            .unwrap_or_else(|| format!("redis {}", field("redis_version:").unwrap_or("of unknown version"))))
    }

    /// What it holds under `key`.
    pub(super) async fn look(&self, key: &str) -> Result<Option<Left>, WorldError> {
        match self.ask::<i64>(redis::cmd("PTTL").arg(key)).await? {
            -2 => Ok(None),
            -1 => Ok(Some(Left::Forever)),
            left => Ok(Some(Left::Millis(left.unsigned_abs()))),
        }
    }

    pub(super) async fn pause(&self, engine: &Engine) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.paused += 1;
        if struck.paused == 1 { engine.pause(&self.id).await } else { Ok(()) }
    }

    pub(super) async fn unpause(&self, engine: &Engine) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.paused = struck.paused.saturating_sub(1);
        if struck.paused == 0 { engine.unpause(&self.id).await } else { Ok(()) }
    }

    /// Ends it at once.
    pub(super) async fn kill(&self, engine: &Engine) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.down += 1;
        if struck.down == 1 { engine.kill(&self.id).await } else { Ok(()) }
    }

    /// Ends it in order, its data saved or not.
    pub(super) async fn stop(&self, engine: &Engine, keep_data: bool) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.down += 1;
        if struck.down > 1 {
            return Ok(());
        }
        if keep_data {
            // With a save point set it saves when it is told to end, after the last write.
            self.ask::<()>(redis::cmd("CONFIG").arg("SET").arg("save").arg("3600 1")).await?;
        }
        engine.stop(&self.id).await
    }

    /// Starts it again and waits until it answers. Without its data it is emptied before anybody else reaches it.
    pub(super) async fn start_again(&self, engine: &Engine, keep_data: bool) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.down = struck.down.saturating_sub(1);
        if struck.down > 0 {
            return Ok(());
        }
        engine.start(&self.id).await?;
        self.side.lock().await.take();
        let ready = async {
            while self.ask::<String>(&redis::cmd("PING")).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(STARTUP_WITHIN, ready)
            .await
            .map_err(failed("wait for Redis to answer again"))?;
        if keep_data { Ok(()) } else { self.ask::<()>(&redis::cmd("FLUSHALL")).await }
    }

    pub(super) async fn remove(&self) {
        if let Some(container) = self.container.lock().await.take() {
            // What is left after a failure is removed by its label.
            let _ = container.rm().await;
        }
    }

    /// Asks it straight, past Toxiproxy and taps.
    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, WorldError> {
        let asking = async {
            let mut side = self.side.lock().await;
            if side.is_none() {
                *side = Some(self.connect().await?);
            }
            let Some(connection) = side.as_mut() else { return Err(failed("ask Redis")("no connection")) };
            let answer = command.query_async(connection).await;
            if answer.is_err() {
                side.take();
            }
            answer.map_err(failed("ask Redis from the side"))
        };
        tokio::time::timeout(LOOK_WITHIN, asking).await.map_err(failed("ask Redis from the side"))?
    }

    async fn connect(&self) -> Result<MultiplexedConnection, WorldError> {
        // Address and port may have changed with the last start: ask again.
        let address = if self.by_bridge.load(Ordering::Relaxed) {
            SocketAddr::new(self.engine.address(&self.id, &self.network).await?, PORT)
        } else {
            let container = self.container.lock().await;
            let Some(container) = container.as_ref() else {
                return Err(failed("reach Redis")("it is removed"));
            };
            let port =
                container.get_host_port_ipv4(PORT).await.map_err(failed("find Redis's published port"))?;
            SocketAddr::from(([127, 0, 0, 1], port))
        };
        let client = redis::Client::open(format!("redis://{address}")).map_err(failed("reach Redis"))?;
        client.get_multiplexed_async_connection().await.map_err(failed("reach Redis from the side"))
    }
}

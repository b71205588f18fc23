//! The server container: Redis or Valkey, stopped and started by faults, and looked into from the side.

use std::mem::ManuallyDrop;
use std::time::Duration;

use redis::ConnectionInfo;
use redis::aio::MultiplexedConnection;
use testcontainers_modules::redis::Redis;
use testcontainers_modules::testcontainers::runners::AsyncRunner as _;
use testcontainers_modules::testcontainers::{ContainerAsync, ImageExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::super::orders::{Ask, Orders};
use super::super::side::{self, Side};
use super::super::{Login, WorldError, failed};
use super::STARTUP_WITHIN;
use super::engine::{self, Engine, name_and_tag};
use super::route::Way;
use crate::history::Left;
use crate::subject::Credentials;

const PORT: u16 = 6379;

/// How long one look from the side may take.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// A started container. Nothing is done when it is dropped: the run's guard removes it by its label, whereas its own way to be
/// dropped needs a runtime, and panics without one.
pub(super) type Started<I> = ManuallyDrop<ContainerAsync<I>>;

pub(super) struct Server {
    engine: Engine,
    name: String,
    id: String,
    container: Started<Redis>,
    way: Way,
    /// A connection straight to the server, kept between looks.
    side: Mutex<Option<MultiplexedConnection>>,
    struck: Mutex<Struck>,
    orders: Orders,
}

/// How many strikes keep it stopped or paused just now.
#[derive(Default)]
struct Struck {
    down: u32,
    paused: u32,
    /// Whether one of those that stopped it loses its data.
    lost: bool,
}

impl Server {
    /// Starts it, with no persistence of its own accord: what is kept over a restart is the fault's decision.
    pub(super) async fn start(
        engine: &Engine,
        network: &str,
        image: &str,
        way: Way,
        login: Login,
    ) -> Result<Self, WorldError> {
        let (image_name, tag) = name_and_tag(image);
        let options = ["--protected-mode", "no", "--save", "", "--appendonly", "no"].map(str::to_owned);
        let command = engine.server_program(image).await?.into_iter().chain(options);
        let name = engine.container_name("redis");
        let request = Redis::default()
            .with_name(image_name)
            .with_tag(tag)
            .with_cmd(command)
            .with_network(network)
            .with_container_name(&name)
            .with_labels(engine.labels())
            .with_mapped_port(0, testcontainers_modules::testcontainers::core::ContainerPort::Tcp(PORT))
            .with_startup_timeout(STARTUP_WITHIN);
        let container = request.start().await;
        let container =
            container.map_err(|error| engine::does_not_start(image, "Redis or Valkey", &error))?;
        Ok(Self {
            engine: engine.clone(),
            name,
            id: container.id().to_owned(),
            container: ManuallyDrop::new(container),
            way,
            side: Mutex::new(None),
            struck: Mutex::default(),
            orders: Orders::new(login),
        })
    }

    /// Its name on the network.
    pub(super) fn name(&self) -> String {
        format!("{}:{PORT}", self.name)
    }

    /// The way to it from now on.
    pub(super) fn reach_by(&mut self, way: Way) {
        self.way = way;
    }

    /// Has it ask for what the scenario wants: a server that has just started is open to everybody.
    pub(super) async fn admit(&self) -> Result<(), WorldError> {
        let open = self.info(&Credentials::default()).await?;
        self.orders.admit(&Side::new(open)).await
    }

    /// Such as `redis 7.0.15`.
    pub(super) async fn version(&self) -> Result<String, WorldError> {
        let info: String = self.ask(redis::cmd("INFO").arg("server")).await?;
        Ok(side::version(&info))
    }

    /// What it is told by commands.
    pub(super) fn orders(&self) -> &Orders {
        &self.orders
    }

    /// What it holds under `key`.
    pub(super) async fn look(&self, key: &str) -> Result<Option<Left>, WorldError> {
        self.ask(redis::cmd("PTTL").arg(key)).await.map(side::left)
    }

    pub(super) async fn pause(&self) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.paused += 1;
        if struck.paused == 1 && struck.down == 0 { self.engine.pause(&self.id).await } else { Ok(()) }
    }

    pub(super) async fn unpause(&self) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.paused = struck.paused.saturating_sub(1);
        if struck.paused == 0 && struck.down == 0 { self.engine.unpause(&self.id).await } else { Ok(()) }
    }

    /// Ends it at once.
    pub(super) async fn kill(&self) -> Result<(), WorldError> {
        let struck = &mut *self.struck.lock().await;
        struck.lost = true;
        if self.goes_down(struck).await? { self.engine.kill(&self.id).await } else { Ok(()) }
    }

    /// Ends it in order, its data saved or not.
    pub(super) async fn stop(&self, keep_data: bool) -> Result<(), WorldError> {
        let struck = &mut *self.struck.lock().await;
        struck.lost |= !keep_data;
        if !self.goes_down(struck).await? {
            return Ok(());
        }
        if keep_data {
            // With a save point set it saves when it is told to end, after the last write.
            self.ask::<()>(redis::cmd("CONFIG").arg("SET").arg("save").arg("3600 1")).await?;
        }
        self.engine.stop(&self.id).await?;
        if keep_data { self.engine.ended_well(&self.id).await } else { Ok(()) }
    }

    /// Counts one more strike that keeps it down; whether it is the first. What is paused could not end.
    async fn goes_down(&self, struck: &mut Struck) -> Result<bool, WorldError> {
        struck.down += 1;
        if struck.down == 1 && struck.paused > 0 {
            self.engine.unpause(&self.id).await?;
        }
        Ok(struck.down == 1)
    }

    /// Takes one [`kill`](Self::kill) or [`stop`](Self::stop) back: with the last of them it starts again and answers. If any of
    /// them lost its data, it is emptied before anybody else reaches it.
    pub(super) async fn start_again(&self) -> Result<(), WorldError> {
        let struck = &mut *self.struck.lock().await;
        struck.down = struck.down.saturating_sub(1);
        if struck.down > 0 {
            return Ok(());
        }
        self.engine.start(&self.id).await?;
        self.side.lock().await.take();
        let ready = async {
            while self.greet().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(STARTUP_WITHIN, ready)
            .await
            .map_err(failed("wait for Redis to answer again"))?;
        // Even killed it may find data: those that an earlier restart saved.
        if std::mem::take(&mut struck.lost) {
            self.ask::<()>(&redis::cmd("FLUSHALL")).await?;
        }
        if struck.paused > 0 { self.engine.pause(&self.id).await } else { Ok(()) }
    }

    /// Makes sure that it answers, once it has just started.
    async fn greet(&self) -> Result<(), WorldError> {
        self.admit().await?;
        self.ask::<String>(&redis::cmd("PING")).await.map(drop)
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
        let info = self.info(&self.orders.login().side()).await?;
        let client = redis::Client::open(info).map_err(failed("reach Redis"))?;
        client.get_multiplexed_async_connection().await.map_err(failed("reach Redis from the side"))
    }

    /// How to connect, past Toxiproxy and taps. Address and port may have changed with the last start.
    async fn info(&self, credentials: &Credentials) -> Result<ConnectionInfo, WorldError> {
        let address = self.way.address(&self.container, PORT).await?;
        side::info(address.ip().to_string(), address.port(), credentials).map_err(failed("reach Redis"))
    }
}

impl Ask for Server {
    async fn ask<T: redis::FromRedisValue + Send>(&self, command: &redis::Cmd) -> Result<T, WorldError> {
        Self::ask(self, command).await
    }

    async fn dial(&self) -> Result<TcpStream, WorldError> {
        Side::new(self.info(&self.orders.login().side()).await?).dial().await
    }
}

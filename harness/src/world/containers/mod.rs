//! The containers world: a real Redis or Valkey behind a real Toxiproxy, both by testcontainers, on a network of their own.
//!
//! ```text
//! instance -> tap (in this process) -> Toxiproxy (one proxy an instance) -> Redis
//! ```

mod api;
mod engine;
mod link;
mod owner;
mod server;
mod toxics;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use testcontainers_modules::testcontainers::core::{ContainerPort, ContainerRequest};
use testcontainers_modules::testcontainers::runners::AsyncRunner as _;
use testcontainers_modules::testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

use super::{World, WorldError, failed};
use crate::fault::{Act, ServerAct};
use crate::history::Left;
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::subject::{BoxFuture, Route};
use api::Api;
use engine::Engine;
use link::Link;
use server::Server;

pub use owner::sweep;

/// What is missing here for any run, if something is: Docker.
pub async fn missing() -> Option<WorldError> {
    engine::docker().await.err()
}

/// The server's image unless the flag, the environment or the scenario names another.
pub const DEFAULT_IMAGE: &str = "redis:8.0.2";

/// Toxiproxy's image unless the environment names another.
pub const DEFAULT_TOXIPROXY_IMAGE: &str = "ghcr.io/shopify/toxiproxy:2.12.0";

const API_PORT: u16 = 8474;
const FIRST_PROXY_PORT: u16 = 20_000;
const STARTUP_WITHIN: Duration = Duration::from_secs(60);

/// Which images to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The server's, such as `redis:7.0.15` or `valkey/valkey:8.1.1`.
    pub server: String,
    /// Toxiproxy's.
    pub toxiproxy: String,
}

impl Images {
    /// The flag's image, else that of `SQUALL_REDIS_IMAGE`, else the scenario's, else [`DEFAULT_IMAGE`]; and Toxiproxy's of
    /// `SQUALL_TOXIPROXY_IMAGE`, else [`DEFAULT_TOXIPROXY_IMAGE`].
    pub fn choose(flag: Option<&str>, scenario: Option<&str>) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let server = flag.map(str::to_owned).or_else(|| variable("SQUALL_REDIS_IMAGE"));
        Self {
            server: server
                .or_else(|| scenario.map(str::to_owned))
                .unwrap_or_else(|| DEFAULT_IMAGE.to_owned()),
            toxiproxy: variable("SQUALL_TOXIPROXY_IMAGE")
                .unwrap_or_else(|| DEFAULT_TOXIPROXY_IMAGE.to_owned()),
        }
    }
}

/// The world, up.
pub struct Containers {
    engine: Engine,
    server: Server,
    toxiproxy: tokio::sync::Mutex<Option<ContainerAsync<GenericImage>>>,
    links: Vec<Link>,
    notes: Vec<String>,
}

impl Containers {
    /// Starts everything that a run with so many instances needs. `status` is told what takes long.
    pub async fn start(
        images: &Images,
        instances: u16,
        recorder: &Recorder,
        status: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Self, WorldError> {
        let engine = Engine::connect().await?;
        for image in [&images.server, &images.toxiproxy] {
            engine.ensure_image(image, status).await?;
        }
        status("starting containers".to_owned());
        let network = engine.create_network().await?;
        let outcome = Self::start_in(&engine, &network, images, instances, recorder).await;
        match outcome {
            Ok((server, toxiproxy, links, notes)) => {
                Ok(Self { engine, server, toxiproxy: tokio::sync::Mutex::new(Some(toxiproxy)), links, notes })
            }
            Err(error) => {
                engine.remove_all().await?;
                Err(error)
            }
        }
    }

    async fn start_in(
        engine: &Engine,
        network: &str,
        images: &Images,
        instances: u16,
        recorder: &Recorder,
    ) -> Result<Parts, WorldError> {
        // One more than the instances: the fresh reader of the end has a link of its own.
        let count = instances + 1;
        let (server, toxiproxy) = tokio::try_join!(
            Server::start(engine, network, &images.server),
            start_toxiproxy(engine, network, &images.toxiproxy, count)
        )?;
        let bridge = engine.address(toxiproxy.id(), network).await?;
        let reach = Reach::find(&toxiproxy, bridge).await?;
        server.reach_by(matches!(reach, Reach::Bridge(_)));
        let api = Api::start(reach.address(&toxiproxy, API_PORT).await?).await?;
        let version = api.version().await?;
        let mut links = Vec::new();
        for number in 0..count {
            let port = FIRST_PROXY_PORT + number;
            let address = reach.address(&toxiproxy, port).await?;
            links.push(Link::start(&api, number, port, address, server.name(), recorder.clone()).await?);
        }
        let notes = vec![
            format!("server: {} ({})", server.version().await?, images.server),
            format!("toxiproxy: {version}"),
            reach.note(),
        ];
        Ok((server, toxiproxy, links, notes))
    }

    /// The run's name, which stands in the names of its containers.
    pub fn run_name(&self) -> &str {
        self.engine.run()
    }

    /// The links that a strike bends; the fresh reader's only where all of Redis is struck.
    fn struck(&self, strike: &Strike) -> Vec<&Link> {
        let instances = self.links.len() - 1;
        let named = |number: usize| strike.instances.iter().any(|instance| usize::from(*instance) == number);
        let all = strike.instances.is_empty();
        self.links
            .iter()
            .enumerate()
            .filter(|(number, _)| *number < instances && (all || named(*number)))
            .map(|(_, link)| link)
            .collect()
    }

    async fn begin_strike(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Bend(_) | Act::Refuse | Act::Reset { .. } => {
                let links = self.struck(strike);
                each(links, |link| link.begin(number, strike)).await
            }
            Act::Server(ServerAct::Pause) => self.server.pause(&self.engine).await,
            Act::Server(ServerAct::Kill) => {
                self.server.kill(&self.engine).await?;
                each(self.links.iter().collect(), |link| link.refuse()).await
            }
            Act::Server(ServerAct::Restart { keep_data }) => {
                self.server.stop(&self.engine, *keep_data).await?;
                each(self.links.iter().collect(), |link| link.refuse()).await
            }
        }
    }

    async fn end_strike(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Bend(_) | Act::Refuse | Act::Reset { .. } => {
                let links = self.struck(strike);
                each(links, |link| link.end(number, strike)).await
            }
            Act::Server(ServerAct::Pause) => self.server.unpause(&self.engine).await,
            Act::Server(ServerAct::Kill | ServerAct::Restart { .. }) => {
                let keep_data = matches!(strike.act, Act::Server(ServerAct::Restart { keep_data: true }));
                self.server.start_again(&self.engine, keep_data).await?;
                each(self.links.iter().collect(), |link| link.accept()).await
            }
        }
    }

    async fn close_all(&self) -> Result<(), WorldError> {
        for link in &self.links {
            link.close();
        }
        self.server.remove().await;
        if let Some(toxiproxy) = self.toxiproxy.lock().await.take() {
            // What is left after a failure is removed by its label below.
            let _ = toxiproxy.rm().await;
        }
        self.engine.remove_all().await
    }
}

type Parts = (Server, ContainerAsync<GenericImage>, Vec<Link>, Vec<String>);

impl World for Containers {
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn route(&self, instance: u16) -> Route {
        let port = self.links.get(usize::from(instance)).map_or(0, Link::port);
        Route::Tcp { host: "127.0.0.1".to_owned(), port }
    }

    fn connections(&self, instance: u16) -> u64 {
        self.links.get(usize::from(instance)).map_or(0, Link::connections)
    }

    fn begin<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(self.begin_strike(number, strike))
    }

    fn end<'a>(&'a self, number: u32, strike: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(self.end_strike(number, strike))
    }

    fn look<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Left>, WorldError>> {
        Box::pin(self.server.look(key))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), WorldError>> {
        Box::pin(self.close_all())
    }
}

/// How the containers are reached from here.
enum Reach {
    /// By their address on the bridge: refusals and resets are true.
    Bridge(IpAddr),
    /// By published ports: Docker's forwarder stands between.
    Published,
}

impl Reach {
    async fn find(toxiproxy: &ContainerAsync<GenericImage>, bridge: IpAddr) -> Result<Self, WorldError> {
        let published = published(toxiproxy, API_PORT).await?;
        let deadline = tokio::time::timeout(STARTUP_WITHIN, async {
            loop {
                let attempt = |address| {
                    tokio::time::timeout(Duration::from_secs(1), tokio::net::TcpStream::connect(address))
                };
                if matches!(attempt(SocketAddr::new(bridge, API_PORT)).await, Ok(Ok(_))) {
                    return Self::Bridge(bridge);
                }
                if matches!(attempt(published).await, Ok(Ok(_))) && !cfg!(target_os = "linux") {
                    return Self::Published;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        match deadline.await {
            Ok(reach) => Ok(reach),
            Err(_) => tokio::net::TcpStream::connect(published)
                .await
                .map(|_| Self::Published)
                .map_err(failed("reach Toxiproxy")),
        }
    }

    async fn address(
        &self,
        container: &ContainerAsync<GenericImage>,
        port: u16,
    ) -> Result<SocketAddr, WorldError> {
        match self {
            Self::Bridge(address) => Ok(SocketAddr::new(*address, port)),
            Self::Published => published(container, port).await,
        }
    }

    fn note(&self) -> String {
        match self {
            Self::Bridge(_) => "route: the containers' bridge addresses; refusals and resets are true",
            Self::Published => {
                "route: published ports; Docker stands between, so a refusal may show as an end"
            }
        }
        .to_owned()
    }
}

async fn published(container: &ContainerAsync<GenericImage>, port: u16) -> Result<SocketAddr, WorldError> {
    let number =
        container.get_host_port_ipv4(port).await.map_err(failed("find Toxiproxy's published port"))?;
    Ok(SocketAddr::from(([127, 0, 0, 1], number)))
}

async fn start_toxiproxy(
    engine: &Engine,
    network: &str,
    image: &str,
    proxies: u16,
) -> Result<ContainerAsync<GenericImage>, WorldError> {
    let (name, tag) = engine::name_and_tag(image);
    let ports = std::iter::once(API_PORT).chain((0..proxies).map(|number| FIRST_PROXY_PORT + number));
    let image = ports
        .fold(GenericImage::new(name, tag), |image, port| image.with_exposed_port(ContainerPort::Tcp(port)));
    let request: ContainerRequest<GenericImage> = image
        .with_network(network)
        .with_container_name(engine.container_name("toxiproxy"))
        .with_labels(engine.labels())
        .with_startup_timeout(STARTUP_WITHIN);
    request.start().await.map_err(failed("start Toxiproxy"))
}

/// Does something to each link, all at once; the first error counts.
async fn each<'a, F>(links: Vec<&'a Link>, act: impl Fn(&'a Link) -> F) -> Result<(), WorldError>
where
    F: Future<Output = Result<(), WorldError>>,
{
    for link in links {
        act(link).await?;
    }
    Ok(())
}

/// Shared by the links: Toxiproxy's API.
type SharedApi = Arc<Api>;

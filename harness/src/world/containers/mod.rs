//! The containers world: a real Redis or Valkey behind a real Toxiproxy, both by testcontainers, on a network of their own.
//!
//! ```text
//! instance -> tap (in this process) -> Toxiproxy (one proxy an instance) -> Redis
//! ```

mod api;
mod engine;
mod link;
mod owner;
mod route;
mod server;
mod toxics;

use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use testcontainers_modules::testcontainers::core::{ContainerPort, ContainerRequest};
use testcontainers_modules::testcontainers::runners::AsyncRunner as _;
use testcontainers_modules::testcontainers::{GenericImage, ImageExt as _};

use super::authority::{self, Authority};
use super::{Login, World, WorldError, content, failed};
use crate::fault::{Act, ServerAct};
use crate::history::Left;
use crate::plan::Strike;
use crate::recorder::Recorder;
use crate::subject::{BoxFuture, Route};
use api::Api;
use engine::Engine;
use link::Link;
use owner::Guard;
use route::Way;
use server::{Server, Started};

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

/// The world, up. Dropped without being closed it still removes what it made.
pub struct Containers {
    engine: Engine,
    server: Server,
    _toxiproxy: Started<GenericImage>,
    links: Vec<Link>,
    /// Whom instances trust, where they speak TLS.
    authority: Option<Authority>,
    /// Where the first link's proxy listens.
    proxy: Option<SocketAddr>,
    notes: Vec<String>,
    // The last field, since it is dropped last.
    guard: Guard,
}

impl Containers {
    /// Starts everything that a run with so many instances needs. `status` is told what takes long.
    ///
    /// # Errors
    /// [`WorldError::Missing`] without Docker or an image, [`WorldError::Failed`] when something does not start in time. What was
    /// started by then is removed, also when this future is dropped before its end.
    pub async fn start(
        images: &Images,
        instances: u16,
        seed: u64,
        recorder: &Recorder,
        login: Login,
        status: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Self, WorldError> {
        let engine = Engine::connect().await?;
        for image in [&images.server, &images.toxiproxy] {
            engine.ensure_image(image, status).await?;
        }
        status("starting containers".to_owned());
        let (images, recorder) = (images.clone(), recorder.clone());
        // In a task of its own, which goes on if this future is dropped: Docker makes what it was asked to make even if nobody
        // waits for it any longer, and only at the end can all of it be found and removed.
        let started = tokio::spawn(async move {
            let _starting = owner::starting().await;
            let guard = Guard::new(engine.run());
            Self::start_in(engine, &images, instances, (seed, &recorder, login), guard).await
        });
        let world: Self = started.await.map_err(failed("start containers"))??;
        status("waiting until the machine is quiet".to_owned());
        if let Some(proxy) = world.proxy {
            route::knock(proxy).await?;
        }
        Ok(world)
    }

    async fn start_in(
        engine: Engine,
        images: &Images,
        instances: u16,
        (seed, recorder, login): (u64, &Recorder, Login),
        guard: Guard,
    ) -> Result<Self, WorldError> {
        let authority = login.tls().then(Authority::make).transpose()?;
        let network = engine.create_network().await?;
        let mut way = Way::guess(&engine, &network).await?;
        // One more than the instances: the fresh reader of the end has a link of its own.
        let count = instances + 1;
        let (mut server, mut toxiproxy) = tokio::try_join!(
            Server::start(&engine, &network, &images.server, way, login),
            start_toxiproxy(&engine, &network, &images.toxiproxy, count, way)
        )?;
        let mut api = Api::start(way.address(&toxiproxy, API_PORT).await?).await;
        if api.is_err() && way == Way::Bridge {
            way = Way::Published;
            engine.remove(toxiproxy.id()).await?;
            toxiproxy = start_toxiproxy(&engine, &network, &images.toxiproxy, count, way).await?;
            server.reach_by(way);
            api = Api::start(way.address(&toxiproxy, API_PORT).await?).await;
        }
        let api = api?;
        let version = api.version().await?;
        server.admit().await?;
        let (mut links, mut first) = (Vec::new(), None);
        for number in 0..count {
            let mut ports = [(0, ([127, 0, 0, 1], 0).into()); 2];
            for (port, listen) in ports.iter_mut().zip(proxy_ports(number)) {
                *port = (listen, way.address(&toxiproxy, listen).await?);
            }
            let tap = crate::link::Link::over(
                authority.as_ref().map(Authority::config),
                number,
                seed,
                recorder.clone(),
            );
            links.push(Link::start(&api, number, ports, server.name(), tap).await?);
            first.get_or_insert(ports[0].1);
        }
        let mut notes = vec![
            format!("server: {} ({})", server.version().await?, images.server),
            format!("toxiproxy: {version}"),
            way.note().to_owned(),
        ];
        notes.extend(authority.as_ref().map(|_| authority::NOTE.to_owned()));
        Ok(Self { engine, server, _toxiproxy: toxiproxy, links, authority, proxy: first, notes, guard })
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
            Act::Answer(_) | Act::SlowAccept { .. } | Act::HalfOpen | Act::Unreachable => {
                Err(failed("begin a fault")("Toxiproxy has none of the kind"))
            }
            Act::Crash { .. } => Ok(()),
            Act::Server(ServerAct::Pause) => self.server.pause().await,
            Act::Server(ServerAct::Kill) => self.while_shut(self.server.kill()).await,
            Act::Server(ServerAct::Restart { keep_data }) => {
                self.while_shut(self.server.stop(*keep_data)).await
            }
            Act::Server(act) => {
                let lasts = Duration::from_nanos(strike.to.saturating_sub(strike.from));
                self.server.orders().begin(&self.server, *act, lasts).await
            }
        }
    }

    async fn end_strike(&self, number: u32, strike: &Strike) -> Result<(), WorldError> {
        match &strike.act {
            Act::Bend(_) | Act::Refuse | Act::Reset { .. } => {
                let links = self.struck(strike);
                each(links, |link| link.end(number, strike)).await
            }
            Act::Answer(_)
            | Act::SlowAccept { .. }
            | Act::HalfOpen
            | Act::Unreachable
            | Act::Crash { .. } => Ok(()),
            Act::Server(ServerAct::Pause) => self.server.unpause().await,
            Act::Server(ServerAct::Kill | ServerAct::Restart { .. }) => {
                self.server.start_again().await?;
                each(self.links.iter().collect(), |link| link.accept()).await
            }
            Act::Server(act) => self.server.orders().end(&self.server, *act).await,
        }
    }

    /// Ends the server: nobody can connect from then on, and those that were connected see it end.
    async fn while_shut(&self, end: impl Future<Output = Result<(), WorldError>>) -> Result<(), WorldError> {
        for link in &self.links {
            link.deafen().await;
        }
        end.await?;
        each(self.links.iter().collect(), |link| link.shut()).await
    }

    async fn close_all(&self) -> Result<(), WorldError> {
        for link in &self.links {
            link.close().await;
        }
        self.engine.remove_all().await?;
        self.guard.disarm();
        Ok(())
    }
}

impl World for Containers {
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn route(&self, instance: u16) -> Route {
        let port = self.links.get(usize::from(instance)).map_or(0, Link::port);
        let credentials = self.server.orders().login().credentials();
        let ca = self.authority.as_ref().map(Authority::file);
        Route::Tcp { host: "127.0.0.1".to_owned(), port, credentials, ca }
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

    fn content<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, WorldError>> {
        Box::pin(content::of(&self.server, key))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), WorldError>> {
        Box::pin(self.close_all())
    }
}

/// The ports that an instance's proxies listen on, inside Toxiproxy's container.
fn proxy_ports(number: u16) -> [u16; 2] {
    [FIRST_PROXY_PORT + 2 * number, FIRST_PROXY_PORT + 2 * number + 1]
}

async fn start_toxiproxy(
    engine: &Engine,
    network: &str,
    image: &str,
    links: u16,
    way: Way,
) -> Result<Started<GenericImage>, WorldError> {
    let (name, tag) = engine::name_and_tag(image);
    let not_started = |error| engine::does_not_start(image, "Toxiproxy", &error);
    let ports = std::iter::once(API_PORT).chain((0..links).flat_map(proxy_ports));
    let request = ports
        .fold(GenericImage::new(name, tag), |image, port| image.with_exposed_port(ContainerPort::Tcp(port)));
    let request: ContainerRequest<GenericImage> = request
        .with_network(network)
        .with_container_name(engine.container_name("toxiproxy"))
        .with_labels(engine.labels())
        .with_startup_timeout(STARTUP_WITHIN)
        // Every published port costs a process.
        .with_host_config_modifier(move |host| host.publish_all_ports = Some(way == Way::Published));
    request.start().await.map(ManuallyDrop::new).map_err(not_started)
}

/// Does something to each link, one after the other; the first error counts.
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

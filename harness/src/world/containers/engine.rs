//! The Docker engine: images, the run's own network, and names and labels by which everything is found again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use testcontainers_modules::testcontainers::GenericImage;
use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::errors::Error as DockerError;
use testcontainers_modules::testcontainers::bollard::models::NetworkCreateRequest;
use testcontainers_modules::testcontainers::bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, KillContainerOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};
use testcontainers_modules::testcontainers::core::client::docker_client_instance;
use testcontainers_modules::testcontainers::runners::AsyncRunner as _;

use super::super::{WorldError, failed};
use super::owner;

/// An engine that lives answers within milliseconds.
const ANSWERS_WITHIN: Duration = Duration::from_millis(2500);

/// How long pulling an image may take, and how often to say that it goes on.
const PULLED_WITHIN: Duration = Duration::from_secs(600);
const SAY_EVERY: Duration = Duration::from_secs(5);

/// How long an orderly stop may take before Docker kills.
const STOP_SECONDS: i32 = 10;

/// What names images.
const NAMED_BY: &str = "--image, SQUALL_REDIS_IMAGE, SQUALL_TOXIPROXY_IMAGE";

/// The engine, and the run that it serves.
#[derive(Clone)]
pub(super) struct Engine {
    docker: Docker,
    run: String,
}

impl Engine {
    /// Connects as the environment says (`DOCKER_HOST`, else the local socket), and makes sure that the engine answers.
    pub(super) async fn connect() -> Result<Self, WorldError> {
        let docker = docker().await?;
        owner::sweep_dead(&docker).await;
        Ok(Self { docker, run: owner::new_run() })
    }

    /// The run's name.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// Makes sure that an image is there, pulling it if need be.
    pub(super) async fn ensure_image(
        &self,
        image: &str,
        status: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), WorldError> {
        match self.docker.inspect_image(image).await {
            Ok(_) => return Ok(()),
            Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(DockerError::DockerResponseServerError { status_code: 400, message }) => {
                return Err(WorldError::Missing {
                    what: format!("{image:?} is no image: {}", message.trim()),
                    cure: format!("write it as Docker does, such as redis:8.0.2 ({NAMED_BY})"),
                });
            }
            Err(error) => return Err(failed("look for an image")(chain(&error))),
        }
        let (name, tag) = name_and_tag(image);
        // testcontainers knows where Docker keeps the credentials of private registries.
        let mut pull = GenericImage::new(name, tag).pull_image();
        let mut waited = Duration::ZERO;
        let pulled = loop {
            status(format!("pulling {image} ({} s)", waited.as_secs()));
            match tokio::time::timeout(SAY_EVERY, &mut pull).await {
                Ok(pulled) => break pulled.map(drop).map_err(|error| chain(&error)),
                Err(_) => waited += SAY_EVERY,
            }
            if waited >= PULLED_WITHIN {
                break Err(format!("it took longer than {} s", waited.as_secs()));
            }
        };
        pulled.map_err(|cause| WorldError::Missing {
            what: format!("the image {image} is not here and cannot be pulled: {cause}"),
            cure: format!(
                "pull it where a registry can be reached (docker pull {image}), build it (scripts/images {image}), or name another \
                 one ({NAMED_BY})"
            ),
        })
    }

    /// The program of a server's image, unless its entry point is that already: the first word of the image's own command.
    pub(super) async fn server_program(&self, image: &str) -> Result<Option<String>, WorldError> {
        let looked = self.docker.inspect_image(image).await.map_err(failed("look at an image"))?;
        let config = looked.config.unwrap_or_default();
        Ok(program(image, &config.entrypoint.unwrap_or_default(), &config.cmd.unwrap_or_default()))
    }

    /// The address of this machine, or of the one where Docker runs, on a network.
    pub(super) async fn gateway(&self, network: &str) -> Result<Option<IpAddr>, WorldError> {
        let looked = self.docker.inspect_network(network, None::<InspectNetworkOptions>).await;
        let ipam = looked.map_err(failed("look at a network"))?.ipam.unwrap_or_default();
        let gateways = ipam.config.unwrap_or_default().into_iter().filter_map(|config| config.gateway);
        Ok(gateways.filter_map(|gateway| gateway.parse().ok()).next())
    }

    /// Makes the run's network; returns its name.
    pub(super) async fn create_network(&self) -> Result<String, WorldError> {
        let name = format!("squall-{}", self.run);
        let labels: HashMap<String, String> = self.labels().into_iter().collect();
        let request = NetworkCreateRequest { name: name.clone(), labels: Some(labels), ..Default::default() };
        self.docker.create_network(request).await.map_err(failed("create a network"))?;
        Ok(name)
    }

    /// A container's name that no other run has.
    pub(super) fn container_name(&self, what: &str) -> String {
        format!("squall-{}-{what}", self.run)
    }

    /// The labels of everything in this run.
    pub(super) fn labels(&self) -> Vec<(String, String)> {
        vec![
            (owner::RUN_LABEL.to_owned(), self.run.clone()),
            (owner::OWNER_LABEL.to_owned(), owner::this_process()),
        ]
    }

    pub(super) async fn pause(&self, container: &str) -> Result<(), WorldError> {
        self.docker.pause_container(container).await.map_err(failed("pause Redis"))
    }

    pub(super) async fn unpause(&self, container: &str) -> Result<(), WorldError> {
        self.docker.unpause_container(container).await.map_err(failed("unpause Redis"))
    }

    pub(super) async fn kill(&self, container: &str) -> Result<(), WorldError> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        self.docker.kill_container(container, Some(options)).await.map_err(failed("kill Redis"))
    }

    pub(super) async fn stop(&self, container: &str) -> Result<(), WorldError> {
        let options = StopContainerOptionsBuilder::new().t(STOP_SECONDS).build();
        self.docker.stop_container(container, Some(options)).await.map_err(failed("stop Redis"))
    }

    pub(super) async fn start(&self, container: &str) -> Result<(), WorldError> {
        self.docker
            .start_container(container, None::<StartContainerOptions>)
            .await
            .map_err(failed("start Redis again"))
    }

    /// Makes sure that a container ended by itself, and was not killed for taking too long.
    pub(super) async fn ended_well(&self, container: &str) -> Result<(), WorldError> {
        let looked = self.docker.inspect_container(container, None::<InspectContainerOptions>).await;
        let state = looked.map_err(failed("look at a container"))?.state.unwrap_or_default();
        match state.exit_code {
            Some(0) => Ok(()),
            code => Err(failed("have Redis save its data and stop")(format!("it ended with {code:?}"))),
        }
    }

    /// Removes a container.
    pub(super) async fn remove(&self, container: &str) -> Result<(), WorldError> {
        let by_force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        self.docker.remove_container(container, Some(by_force)).await.map_err(failed("remove a container"))
    }

    /// Removes everything of this run.
    pub(super) async fn remove_all(&self) -> Result<(), WorldError> {
        owner::remove_labelled(&self.docker, &format!("{}={}", owner::RUN_LABEL, self.run)).await
    }
}

/// The engine that the environment names, if it answers: `DOCKER_HOST`, else the first socket that testcontainers finds.
pub(super) async fn docker() -> Result<Docker, WorldError> {
    let docker = docker_client_instance().await.map_err(|error| missing(&chain(&error)))?;
    match tokio::time::timeout(ANSWERS_WITHIN, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(missing(&chain(&error))),
        Err(_) => Err(missing("no answer within 2.5 s")),
    }
}

fn missing(cause: &str) -> WorldError {
    let cure = if std::env::var_os("DOCKER_HOST").is_some_and(|host| host.is_empty()) {
        "unset DOCKER_HOST, which is empty, or set it"
    } else if cause.to_lowercase().contains("permission denied") {
        "give this user access to it: sudo usermod -aG docker $USER, then log in again"
    } else if installed() {
        "start it (Docker Desktop; sudo systemctl start docker; on Debian, as root: scripts/docker-up), or set DOCKER_HOST"
    } else {
        "install Docker and start it (https://docs.docker.com/get-docker; on Debian, as root: scripts/docker-up), or set DOCKER_HOST"
    };
    WorldError::Missing { what: format!("Docker does not answer: {cause}"), cure: cure.to_owned() }
}

fn installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = ["docker", "dockerd"];
    std::env::split_paths(&path).any(|folder| programs.iter().any(|name| folder.join(name).is_file()))
}

/// An image of which no container starts.
pub(super) fn does_not_start(image: &str, what: &str, cause: &dyn std::error::Error) -> WorldError {
    WorldError::Missing {
        what: format!("{image} does not start as {what}: {}", chain(cause)),
        cure: format!("look at what it says (docker run --rm {image}), or name another one ({NAMED_BY})"),
    }
}

/// The error with its causes, which say more than it does.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

/// `valkey/valkey:8.1.1` as name and tag; a port in a registry's name is no tag.
pub(super) fn name_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        Some(_) | None => (image, "latest"),
    }
}

fn program(image: &str, entrypoint: &[String], command: &[String]) -> Option<String> {
    let server = |word: &&String| word.ends_with("-server");
    if entrypoint.iter().any(|word| server(&word)) {
        return None;
    }
    let own = command.first().filter(server).cloned();
    own.or_else(|| Some(if image.contains("valkey") { "valkey-server" } else { "redis-server" }.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_own_server_is_run() {
        let run = |image, entrypoint: &[&str], command: &[&str]| {
            let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            program(image, &words(entrypoint), &words(command))
        };
        let usual = run("redis:8.0.2", &["docker-entrypoint.sh"], &["redis-server"]);
        assert_eq!(usual.as_deref(), Some("redis-server"));
        let own = run("mine", &[], &["/opt/keydb-server", "/etc/keydb.conf"]);
        assert_eq!(own.as_deref(), Some("/opt/keydb-server"));
        assert_eq!(run("valkey/valkey:8", &[], &[]).as_deref(), Some("valkey-server"));
        assert_eq!(run("mine", &["redis-server"], &["--port", "1"]), None);
    }

    #[test]
    fn the_cure_fits_the_cause() {
        let error = missing("Permission denied (os error 13)").to_string();
        assert!(error.contains("usermod"), "{error}");
        assert!(missing("no such file").to_string().contains("start it"));
    }

    #[test]
    fn an_image_has_a_name_and_a_tag() {
        assert_eq!(name_and_tag("redis:7.0.15"), ("redis", "7.0.15"));
        assert_eq!(name_and_tag("valkey/valkey:8.1.1"), ("valkey/valkey", "8.1.1"));
        assert_eq!(name_and_tag("host:5000/redis"), ("host:5000/redis", "latest"));
    }
}

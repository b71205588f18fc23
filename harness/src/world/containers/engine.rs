//! The Docker engine: images, the run's own network, and names and labels by which everything is found again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::models::NetworkCreateRequest;
use testcontainers_modules::testcontainers::bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};

use super::super::{WorldError, failed};
use super::owner;

const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// How long an orderly stop may take before Docker kills.
const STOP_SECONDS: i32 = 10;

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
        if self.docker.inspect_image(image).await.is_ok() {
            return Ok(());
        }
        status(format!("pulling {image}"));
        let (name, tag) = name_and_tag(image);
        let pulled = pull(&self.docker, name, tag).await;
        pulled.map_err(|cause| WorldError::Missing {
            what: format!("the image {image} is not here and cannot be pulled: {cause}"),
            cure: format!("pull it where a registry can be reached (docker pull {image}), or build it: scripts/images {image}"),
        })
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

    /// A container's address on a network.
    pub(super) async fn address(&self, container: &str, network: &str) -> Result<IpAddr, WorldError> {
        let inspected = self.docker.inspect_container(container, None::<InspectContainerOptions>).await;
        let inspected = inspected.map_err(failed("inspect a container"))?;
        let networks = inspected.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address =
            networks.get(network).and_then(|endpoint| endpoint.ip_address.clone()).unwrap_or_default();
        address.parse().map_err(failed("find a container's address"))
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

    /// Removes everything of this run.
    pub(super) async fn remove_all(&self) -> Result<(), WorldError> {
        owner::remove_labelled(&self.docker, &format!("{}={}", owner::RUN_LABEL, self.run)).await
    }
}

/// The engine that the environment names, if it answers.
pub(super) async fn docker() -> Result<Docker, WorldError> {
    let missing = |cause: String| {
        WorldError::Missing {
        what: format!("Docker does not answer: {cause}"),
        cure: "install Docker and start it (on Debian, as root: scripts/docker-up), give this user access to it (group docker), \
               or set DOCKER_HOST"
            .to_owned(),
    }
    };
    let docker = Docker::connect_with_defaults().map_err(|error| missing(error.to_string()))?;
    match tokio::time::timeout(ANSWERS_WITHIN, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(missing(error.to_string())),
        Err(_) => Err(missing("no answer within 3 s".to_owned())),
    }
}

/// `valkey/valkey:8.1.1` as name and tag; a port in a registry's name is no tag.
pub(super) fn name_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        Some(_) | None => (image, "latest"),
    }
}

async fn pull(docker: &Docker, name: &str, tag: &str) -> Result<(), String> {
    use testcontainers_modules::testcontainers::bollard::query_parameters::CreateImageOptionsBuilder;
    let options = CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
    let mut progress = std::pin::pin!(docker.create_image(Some(options), None, None));
    while let Some(step) =
        std::future::poll_fn(|context| futures_core::Stream::poll_next(progress.as_mut(), context)).await
    {
        step.map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_name_and_a_tag() {
        assert_eq!(name_and_tag("redis:7.0.15"), ("redis", "7.0.15"));
        assert_eq!(name_and_tag("valkey/valkey:8.1.1"), ("valkey/valkey", "8.1.1"));
        assert_eq!(name_and_tag("host:5000/redis"), ("host:5000/redis", "latest"));
    }
}

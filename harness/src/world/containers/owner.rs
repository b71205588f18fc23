//! Whose containers and networks these are: labels that name the run and the process, so that nothing is left behind.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use squall_client::Clock;
use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};

use super::super::{WorldError, failed};
use super::engine::docker;

/// The label that names the run.
pub(super) const RUN_LABEL: &str = "org.squall.run";

/// The label that names the process.
pub(super) const OWNER_LABEL: &str = "org.squall.owner";

/// This process, told apart from every other on any machine that shares the engine: where it runs, its number, its start.
static THIS_PROCESS: LazyLock<String> =
    LazyLock::new(|| format!("{}/{}", place(), alive(std::process::id()).unwrap_or_default()));

/// A name for a run that no other has.
pub(super) fn new_run() -> String {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}-{:x}", std::process::id(), Clock::system().unix_ms())
}

/// The owner label's value.
pub(super) fn this_process() -> String {
    THIS_PROCESS.clone()
}

/// Removes every container and network of this process. Called when it is told to end.
pub async fn sweep() -> Result<(), WorldError> {
    remove_labelled(&docker().await?, &format!("{OWNER_LABEL}={}", this_process())).await
}

/// Removes what processes on this machine left behind that live no more, killed ones say. A failure here hurts nobody.
pub(super) async fn sweep_dead(docker: &Docker) {
    let labelled = HashMap::from([("label".to_owned(), vec![OWNER_LABEL.to_owned()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&labelled).build();
    let containers = docker.list_containers(Some(options)).await.unwrap_or_default();
    let options = ListNetworksOptionsBuilder::new().filters(&labelled).build();
    let networks = docker.list_networks(Some(options)).await.unwrap_or_default();
    let labels = containers.into_iter().filter_map(|container| container.labels);
    let labels = labels.chain(networks.into_iter().filter_map(|network| network.labels));
    let mut owners: Vec<String> = labels.filter_map(|mut labels| labels.remove(OWNER_LABEL)).collect();
    owners.sort_unstable();
    owners.dedup();
    for owner in owners.iter().filter(|owner| is_dead(owner)) {
        let _ = remove_labelled(docker, &format!("{OWNER_LABEL}={owner}")).await;
    }
}

/// Removes every container and network with this label.
pub(super) async fn remove_labelled(docker: &Docker, label: &str) -> Result<(), WorldError> {
    let labelled = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&labelled).build();
    let containers = docker.list_containers(Some(options)).await.map_err(failed("list containers"))?;
    for id in containers.into_iter().filter_map(|container| container.id) {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = docker.remove_container(&id, Some(options)).await;
        unless_gone(removed).map_err(failed("remove a container"))?;
    }
    let options = ListNetworksOptionsBuilder::new().filters(&labelled).build();
    let networks = docker.list_networks(Some(options)).await.map_err(failed("list networks"))?;
    for name in networks.into_iter().filter_map(|network| network.name) {
        unless_gone(docker.remove_network(&name).await).map_err(failed("remove a network"))?;
    }
    Ok(())
}

type DockerError = testcontainers_modules::testcontainers::bollard::errors::Error;

/// What is gone already, or going, is removed.
fn unless_gone(removed: Result<(), DockerError>) -> Result<(), DockerError> {
    match removed {
        Err(DockerError::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
        other => other,
    }
}

/// The machine, its boot and the process-number space. Numbers mean nothing outside of it.
fn place() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let space =
        std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
    format!("{}/{}/{space}", read("/proc/sys/kernel/hostname"), read("/proc/sys/kernel/random/boot_id"))
}

/// A living process's number and start, as the kernel tells.
fn alive(process: u32) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the start is the 20th field after it.
    let started = status.rsplit_once(')')?.1.split_whitespace().nth(19)?;
    Some(format!("{process}-{started}"))
}

/// Whether an owner is a process of this place that lives no more.
fn is_dead(owner: &str) -> bool {
    let Some((its_place, process)) = owner.rsplit_once('/') else { return false };
    let number = process.split('-').next().and_then(|number| number.parse().ok());
    its_place == place() && number.is_some_and(|number| alive(number).as_deref() != Some(process))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_with_another_start_does_not() {
        assert!(!is_dead(&this_process()));
        assert!(is_dead(&format!("{}/{}-1", place(), std::process::id())));
    }

    #[test]
    fn processes_of_other_machines_are_left_alone() {
        assert!(!is_dead("elsewhere/boot/pid:[1]/1-1"));
        assert!(!is_dead("nonsense"));
    }
}

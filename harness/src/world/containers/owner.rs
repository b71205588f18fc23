//! Whose containers and networks these are: labels that name the run and the process, so that nothing is left behind.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use squall_client::Clock;
use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use tokio::sync::{RwLock, RwLockReadGuard};

use super::super::{WorldError, failed};
use super::engine::docker;

/// The label that names the run.
pub(super) const RUN_LABEL: &str = "org.squall.run";

/// The label that names the process.
pub(super) const OWNER_LABEL: &str = "org.squall.owner";

/// How long a network may be held by containers that are being removed, and how soon to try again.
const FREE_WITHIN: Duration = Duration::from_secs(10);
const FREE_AGAIN: Duration = Duration::from_millis(50);

/// How long whoever drops a world may be held up.
const DROPPED_WITHIN: Duration = Duration::from_secs(20);

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

/// Worlds that are being started hold it shared, so that a sweep does not come before what they are having made.
static STARTS: RwLock<()> = RwLock::const_new(());

/// How long a sweep waits for them.
const STARTED_WITHIN: Duration = Duration::from_secs(3);

/// To be held while a world is being started.
pub(super) async fn starting() -> RwLockReadGuard<'static, ()> {
    STARTS.read().await
}

/// Removes every container and network of this process, also of worlds that are just being started. Called when it is told to
/// end.
pub async fn sweep() -> Result<(), WorldError> {
    let _none_starts = tokio::time::timeout(STARTED_WITHIN, STARTS.write()).await;
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
    for id in networks.into_iter().filter_map(|network| network.id) {
        remove_network(docker, &id).await?;
    }
    Ok(())
}

/// A container that somebody else is removing holds its network for a moment longer.
async fn remove_network(docker: &Docker, id: &str) -> Result<(), WorldError> {
    let removing = async {
        while let Err(error) = unless_gone(docker.remove_network(id).await) {
            if !matches!(error, DockerError::DockerResponseServerError { status_code: 403, .. }) {
                return Err(failed("remove a network")(error));
            }
            tokio::time::sleep(FREE_AGAIN).await;
        }
        Ok(())
    };
    tokio::time::timeout(FREE_WITHIN, removing).await.map_err(failed("remove a network"))?
}

/// Removes a run's containers and network when it is dropped: when a run panics, or is left at any other point.
pub(super) struct Guard {
    run: String,
    armed: AtomicBool,
}

impl Guard {
    pub(super) fn new(run: &str) -> Self {
        Self { run: run.to_owned(), armed: AtomicBool::new(true) }
    }

    /// Everything is removed already.
    pub(super) fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.armed.load(Ordering::SeqCst) {
            return;
        }
        let label = format!("{RUN_LABEL}={}", self.run);
        // On a thread of its own: here there may be no runtime, or one that must not be entered again.
        let swept = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                // What cannot be removed now, the next start on this machine removes.
                let sweep = async { remove_labelled(&docker().await?, &label).await };
                let _ = runtime.block_on(async { tokio::time::timeout(DROPPED_WITHIN, sweep).await });
            }
        });
        let _ = swept.join();
    }
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
    let mut fields = status.rsplit_once(')')?.1.split_whitespace();
    // Killed and not yet waited for, it is no more.
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    let started = fields.nth(18)?;
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
    fn a_killed_process_is_dead_even_before_it_is_waited_for() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let owner = format!("{}/{}", place(), alive(child.id()).unwrap());
        assert!(!is_dead(&owner));
        child.kill().unwrap();
        let clock = Clock::system();
        while !is_dead(&owner) {
            assert!(clock.now().as_nanos() < 10_000_000_000, "it is dead by now");
        }
        child.wait().unwrap();
        assert!(is_dead(&owner));
    }

    #[test]
    fn processes_of_other_machines_are_left_alone() {
        assert!(!is_dead("elsewhere/boot/pid:[1]/1-1"));
        assert!(!is_dead("nonsense"));
    }
}

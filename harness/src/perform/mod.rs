//! One run from nothing: starts the world and the subject, and hands them to the conductor.

mod containers;
mod local;
mod sim;

use std::sync::Arc;

use crate::fault::Act;
use crate::history::History;
use crate::plan::Plan;
use crate::report::Trouble;
use crate::run::{Progress, RunError};
use crate::scenario::Topology;
use crate::stop::Stop;
use crate::subject::flawed::{Flaw, Flawed};
use crate::subject::process::{CommandLine, Process};
use crate::subject::reference::Reference;
use crate::subject::{Subject, SubjectError};
use crate::world::Kind;
use crate::world::local::Redis;

/// Told how far a run is.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Which client is tested.
#[derive(Clone, Debug, Default)]
pub enum Tested {
    /// The reference client.
    #[default]
    Reference,
    /// Processes that a command starts.
    Command(CommandLine),
    /// A user's own, written in Rust.
    Own(Arc<dyn Subject>),
}

/// What a run needs beside its plan.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where it takes place.
    pub world: Kind,
    /// The server's image, whatever the scenario asks for.
    pub image: Option<String>,
    /// The client under test.
    pub tested: Tested,
    /// The local world's server; what the environment says when absent.
    pub redis: Option<Redis>,
    /// The flaw planted in the client under test, if any.
    pub flaw: Option<Flaw>,
}

impl Setting {
    /// The reference client in `world`.
    pub fn of(world: Kind) -> Self {
        Self { world, image: None, tested: Tested::Reference, redis: None, flaw: None }
    }

    /// What starts the client under test.
    pub fn subject(&self) -> Arc<dyn Subject> {
        let sound: Arc<dyn Subject> = match &self.tested {
            Tested::Reference => Arc::new(Reference),
            Tested::Command(command) => Arc::new(Process::new(command.clone())),
            Tested::Own(subject) => Arc::clone(subject),
        };
        match self.flaw {
            Some(flaw) => Arc::new(Flawed::new(sound, flaw)),
            None => sound,
        }
    }
}

/// Carries out `plan`. Once `stop` is requested it cleans up and returns within seconds.
///
/// # Errors
///
/// [`Trouble::Skipped`] when the subject cannot work in the world or lacks the interface that the load goes through,
/// [`Trouble::World`] when the world did not start, [`Trouble::Run`] when the run went wrong on its way.
pub async fn perform(
    plan: Arc<Plan>,
    setting: Setting,
    progress: OnProgress,
    stop: Stop,
) -> Result<History, Trouble> {
    if stop.is_requested() {
        return Err(Trouble::Stopped);
    }
    let setting = planted(&plan, setting)?;
    if let Some(why) = setting.subject().unsupported(setting.world) {
        return Err(Trouble::Skipped(why));
    }
    if let Some(why) = unsupported(&setting, &plan) {
        return Err(Trouble::Skipped(why));
    }
    match setting.world {
        Kind::Containers => containers::perform(plan, setting, progress, stop).await,
        Kind::Local => local::perform(plan, setting, progress, stop).await,
        Kind::Sim => sim::perform(plan, setting, progress, stop).await,
    }
}

const REAL_DISK: &str = "its instances keep sessions on a disk, whose time is not virtual; the local and containers worlds can do this";

/// The setting with the flaw planted that a canary must find. A canary tries the checks, and for that it needs the reference client.
fn planted(plan: &Plan, setting: Setting) -> Result<Setting, Trouble> {
    let Some(canary) = &plan.canary else { return Ok(setting) };
    let skipped = |why: &str| Err(Trouble::Skipped(format!("a canary ({canary}) {why}")));
    if setting.flaw.is_some() {
        return skipped("is not run with another flaw (--flaw)");
    }
    match (&setting.tested, &canary.flaw) {
        (Tested::Command(_) | Tested::Own(_), _) => {
            skipped("is for the reference client alone: it tries the checks, not the client")
        }
        (Tested::Reference, None) => Ok(setting),
        (Tested::Reference, Some(name)) => {
            let flaw = name.parse::<Flaw>().map_err(Trouble::Run)?;
            Ok(Setting { flaw: Some(flaw), ..setting })
        }
    }
}

/// Why the world cannot carry out a plan: how its servers belong together, what one of its faults does, how instances are to reach
/// the server, or where they keep sessions; `None` when it can.
pub fn unsupported(setting: &Setting, plan: &Plan) -> Option<String> {
    let topology = unsupported_topology(setting, plan.redis.topology);
    let login = match setting.world {
        Kind::Local => local::unsupported_login(setting, plan),
        Kind::Sim => plan.redis.tls.then(|| sim::NO_TLS.to_owned()),
        Kind::Containers => None,
    };
    let disk = (plan.disk && setting.world == Kind::Sim).then(|| REAL_DISK.to_owned());
    topology
        .or(login)
        .or(disk)
        .or_else(|| plan.strikes.iter().find_map(|strike| unsupported_act(setting, &strike.act)))
}

fn unsupported_topology(setting: &Setting, topology: Topology) -> Option<String> {
    if topology == Topology::Standalone {
        return None;
    }
    let of_world = match setting.world {
        Kind::Local => local::unsupported_topology(setting),
        Kind::Containers | Kind::Sim => {
            let (world, name) = (setting.world.name(), topology.name());
            Some(format!("the {world} world has one server, no {name}; the local world has that"))
        }
    };
    of_world.or_else(|| setting.subject().unsupported_topology(topology))
}

fn unsupported_act(setting: &Setting, act: &Act) -> Option<String> {
    match setting.world {
        Kind::Containers => containers::unsupported(act),
        Kind::Local => local::unsupported(setting, act),
        Kind::Sim => None,
    }
}

/// Why no run can be made in the world on this machine, if so.
pub async fn missing(setting: &Setting) -> Option<String> {
    match setting.world {
        Kind::Containers => containers::missing().await,
        Kind::Local => local::missing(setting),
        Kind::Sim => None,
    }
}

/// Removes everything that runs of this process have started, giving up after some seconds: the last thing to do when a stop
/// did not wait for the runs, or the runs not for the stop.
pub async fn clean_up() {
    local::clean_up().await;
    containers::clean_up().await;
}

impl From<RunError> for Trouble {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Stopped => Self::Stopped,
            RunError::Lacks(why) => Self::Skipped(why),
            RunError::Subject { cause: SubjectError::Unsupported(why), .. } => Self::Skipped(why),
            RunError::World(_)
            | RunError::Subject { .. }
            | RunError::Instance { .. }
            | RunError::Broken(_) => Self::Run(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Canary;
    use crate::report::samples;
    use crate::subject::{BoxFuture, Start, Started};

    fn resync_off() -> Flaw {
        "resync-off".parse().unwrap()
    }

    struct NeedsSockets;

    impl Subject for NeedsSockets {
        fn start(&self, _start: Start) -> BoxFuture<'_, Started> {
            Box::pin(async { Err(SubjectError::Start("it was started all the same".to_owned())) })
        }

        fn unsupported(&self, world: Kind) -> Option<String> {
            (world == Kind::Sim).then(|| "it opens sockets".to_owned())
        }
    }

    struct Cannot;

    impl Subject for Cannot {
        fn start(&self, _start: Start) -> BoxFuture<'_, Started> {
            Box::pin(async { Err(SubjectError::Unsupported("it speaks no TLS".to_owned())) })
        }
    }

    #[tokio::test]
    async fn a_run_is_skipped_when_its_subject_says_that_it_cannot_do_what_is_asked_for() {
        let setting = Setting { tested: Tested::Own(Arc::new(Cannot)), ..Setting::of(Kind::Sim) };
        let outcome = perform(Arc::new(samples::plan()), setting, Arc::new(|_| {}), Stop::new()).await;
        assert_eq!(outcome.unwrap_err(), Trouble::Skipped("it speaks no TLS".to_owned()));
    }

    #[test]
    fn tls_is_skipped_in_virtual_time() {
        let redis = crate::scenario::Redis { tls: true, ..Default::default() };
        let plan = Plan { redis, ..samples::plan() };
        let why = |world| unsupported(&Setting::of(world), &plan);
        assert!(why(Kind::Sim).unwrap().contains("the same bytes"));
        assert_eq!((why(Kind::Local), why(Kind::Containers)), (None, None));
    }

    #[test]
    fn a_canary_brings_its_own_flaw_and_is_for_the_reference_client_alone() {
        let canary = |flaw: Option<&str>| {
            let canary = Canary { flaw: flaw.map(str::to_owned), fails: "I1".to_owned() };
            Plan { canary: Some(canary), ..samples::plan() }
        };
        let reference = || Setting::of(Kind::Sim);
        let flaw = |plan: &Plan, setting| planted(plan, setting).map(|setting| setting.flaw);
        assert_eq!(flaw(&canary(Some("resync-off")), reference()), Ok(Some(resync_off())));
        assert_eq!(flaw(&canary(None), reference()), Ok(None));
        let other = Setting { tested: Tested::Own(Arc::new(NeedsSockets)), ..reference() };
        let told = flaw(&canary(None), other).unwrap_err().to_string();
        assert!(told.contains("I1 must fail") && told.contains("reference client alone"), "{told}");
        let flawed = Setting { flaw: Some(resync_off()), ..reference() };
        assert!(matches!(flaw(&canary(None), flawed.clone()), Err(Trouble::Skipped(_))));
        assert_eq!(flaw(&samples::plan(), flawed), Ok(Some(resync_off())));
    }

    #[test]
    fn several_servers_are_for_the_local_world_and_for_clients_that_can_be_given_ways_to_them() {
        let mut plan = samples::plan();
        plan.redis.topology = Topology::Sentinel;
        let why = |setting: Setting| unsupported(&setting, &plan).unwrap_or_default();
        for world in [Kind::Sim, Kind::Containers] {
            assert!(why(Setting::of(world)).contains("has one server, no sentinel"));
        }
        let own = Redis::Own { program: None };
        let local = || Setting { redis: Some(own.clone()), ..Setting::of(Kind::Local) };
        assert_eq!(why(local()), "");
        assert_eq!(why(Setting { flaw: Some(resync_off()), ..local() }), "");
        let other = Setting { tested: Tested::Own(Arc::new(NeedsSockets)), ..local() };
        assert!(why(other).contains("past the fault links"));
        plan.redis.topology = Topology::Standalone;
        assert_eq!(unsupported(&Setting::of(Kind::Sim), &plan), None);
    }

    #[tokio::test]
    async fn a_subject_that_cannot_work_in_a_world_is_never_started_there() {
        for flaw in [None, Some("resync-off".parse().unwrap())] {
            let tested = Tested::Own(Arc::new(NeedsSockets));
            let setting = Setting { tested, flaw, ..Setting::of(Kind::Sim) };
            let outcome = perform(Arc::new(samples::plan()), setting, Arc::new(|_| {}), Stop::new()).await;
            assert_eq!(outcome.unwrap_err(), Trouble::Skipped("it opens sockets".to_owned()));
        }
    }
}

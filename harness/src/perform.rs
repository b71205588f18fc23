//! Carries out a plan in the containers world: starts world and subject, conducts the run, and cleans up whatever happens.

use std::sync::Arc;

use crate::fault::Act;
use crate::history::History;
use crate::plan::Plan;
use crate::report::Trouble;
use crate::run::Progress;
use crate::stop::Stop;
use crate::subject::Flaw;

/// The world's name.
pub const WORLD: &str = "containers";

/// What the user chose beyond the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// A flaw to plant in the reference client.
    pub flaw: Option<Flaw>,
    /// The server's image, whatever the environment or the scenario says.
    pub image: Option<String>,
}

/// Told how far a run is.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Why this world cannot carry out what a fault does; `None` when it can.
pub fn unsupported(act: &Act) -> Option<String> {
    match act {
        Act::Bend(_) | Act::Refuse | Act::Reset { .. } | Act::Server(_) => None,
    }
}

#[cfg(feature = "containers")]
mod with_docker {
    use std::time::Duration;

    use squall_client::Clock;

    use super::{Arc, History, OnProgress, Plan, Progress, Setting, Stop, Trouble, WORLD};
    use crate::recorder::Recorder;
    use crate::run::{RunError, Stage, run};
    use crate::subject::Subject;
    use crate::subject::flawed::Flawed;
    use crate::subject::reference::Reference;
    use crate::world::containers::{self, Containers, Images};

    /// How long the last cleaning may take when the program is told twice to end.
    const SWEEP_WITHIN: Duration = Duration::from_secs(5);

    /// Why no run can be made here, if so: Docker is missing.
    pub async fn missing() -> Option<String> {
        containers::missing().await.map(|error| error.to_string())
    }

    /// Runs `plan` in containers of its own.
    pub async fn in_containers(
        plan: Arc<Plan>,
        setting: Setting,
        progress: OnProgress,
        stop: Stop,
    ) -> Result<History, Trouble> {
        let recorder = Recorder::new(Clock::system());
        let images = Images::choose(setting.image.as_deref(), plan.image.as_deref());
        let world = {
            let status = |what| progress(Progress::Preparing(what));
            let starting = Containers::start(&images, plan.instances, &recorder, &status);
            tokio::select! {
                biased;
                () = stop.requested() => None,
                world = starting => Some(world),
            }
        };
        let Some(world) = world else {
            // Whatever was half started bears this process's label; no other run goes on either.
            let _ = containers::sweep().await;
            return Err(Trouble::Stopped);
        };
        let world = Box::new(world.map_err(|error| Trouble::World(error.to_string()))?);
        let sound: Arc<dyn Subject> = Arc::new(Reference);
        let subject = match setting.flaw {
            Some(flaw) => Arc::new(Flawed::new(sound, flaw)),
            None => sound,
        };
        let stage = Stage { world, world_name: WORLD.to_owned(), subject, recorder, progress, stop };
        run(plan, stage).await.map_err(|error| match error {
            RunError::Stopped => Trouble::Stopped,
            RunError::World(_) | RunError::Subject { .. } | RunError::Broken(_) => {
                Trouble::Run(error.to_string())
            }
        })
    }

    /// Removes what this process started in Docker, at once, for a program that is about to end.
    pub fn clean_up_at_once() {
        let swept = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                let _ =
                    runtime.block_on(async { tokio::time::timeout(SWEEP_WITHIN, containers::sweep()).await });
            }
        });
        let _ = swept.join();
    }
}

#[cfg(feature = "containers")]
pub use with_docker::{clean_up_at_once, in_containers, missing};

#[cfg(not(feature = "containers"))]
mod without_docker {
    use super::{Arc, History, OnProgress, Plan, Setting, Stop, Trouble};

    const WHY: &str =
        "this program was built without the feature `containers`\n  build it with default features";

    /// Why no run can be made here.
    pub async fn missing() -> Option<String> {
        Some(WHY.to_owned())
    }

    /// Says that this build cannot.
    pub async fn in_containers(
        _plan: Arc<Plan>,
        _setting: Setting,
        _progress: OnProgress,
        _stop: Stop,
    ) -> Result<History, Trouble> {
        Err(Trouble::World(WHY.to_owned()))
    }

    /// There is nothing to remove.
    pub fn clean_up_at_once() {}
}

#[cfg(not(feature = "containers"))]
pub use without_docker::{clean_up_at_once, in_containers, missing};

//! One run from nothing: starts the world and the subject, and hands them to the conductor.

use std::sync::Arc;

use crate::fault::Act;
use crate::history::History;
use crate::plan::Plan;
use crate::report::Trouble;
use crate::run::{Progress, RunError};
use crate::stop::Stop;
use crate::subject::Subject;
use crate::subject::flawed::{Flaw, Flawed};
use crate::subject::reference::Reference;

/// The name of the world of [`in_containers`].
pub const WORLD: &str = "containers";

/// Told how far a run is.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Why the containers world cannot carry out what a fault does; `None` when it can.
pub fn unsupported(act: &Act) -> Option<String> {
    match act {
        Act::Bend(_) | Act::Refuse | Act::Reset { .. } | Act::Server(_) => None,
    }
}

/// What a run needs beside its plan.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The server's image, whatever the scenario asks for.
    pub image: Option<String>,
    /// The flaw planted in the reference client, if any.
    pub flaw: Option<Flaw>,
}

impl Setting {
    /// The client under test.
    pub fn subject(&self) -> Arc<dyn Subject> {
        let sound: Arc<dyn Subject> = Arc::new(Reference);
        match self.flaw {
            Some(flaw) => Arc::new(Flawed::new(sound, flaw)),
            None => sound,
        }
    }
}

/// Carries out `plan` in the containers world. Once `stop` is requested it cleans up and returns within seconds.
///
/// # Errors
///
/// [`Trouble::World`] when the world did not start, [`Trouble::Run`] when the run went wrong on its way.
#[cfg(feature = "containers")]
pub async fn in_containers(
    plan: Arc<Plan>,
    setting: Setting,
    progress: OnProgress,
    stop: Stop,
) -> Result<History, Trouble> {
    use crate::world::containers::{Containers, Images};

    if stop.is_requested() {
        return Err(Trouble::Stopped);
    }
    let recorder = crate::recorder::Recorder::new(squall_client::Clock::system());
    let images = Images::choose(setting.image.as_deref(), plan.image.as_deref());
    let status = |what| progress(Progress::Preparing(what));
    let world = tokio::select! {
        biased;
        world = Containers::start(&images, plan.instances, &recorder, &status) => world,
        () = out_of_patience(&stop) => return Err(Trouble::Stopped),
    };
    let stage = crate::run::Stage {
        world: Box::new(world.map_err(|error| Trouble::World(error.to_string()))?),
        world_name: WORLD.to_owned(),
        subject: setting.subject(),
        recorder,
        progress,
        stop,
    };
    Ok(crate::run::run(plan, stage).await?)
}

/// Why no run can be made in the containers world, if so: Docker does not answer.
#[cfg(feature = "containers")]
pub async fn missing() -> Option<String> {
    crate::world::containers::missing().await.map(|error| error.to_string())
}

/// Removes every container of this process, giving up after some seconds: the last thing to do when a stop did not wait for
/// the runs, or the runs not for the stop.
#[cfg(feature = "containers")]
pub async fn clean_up() {
    use crate::world::containers::sweep;

    // What is left now is removed by the next run of anyone on this machine.
    let _ = tokio::time::timeout(CLEAN_UP_WITHIN, sweep()).await;
}

/// How long a world that is just starting may go on after a stop: one that is cut off in the middle leaves more behind.
#[cfg(feature = "containers")]
const START_WITHIN: std::time::Duration = std::time::Duration::from_secs(4);

#[cfg(feature = "containers")]
const CLEAN_UP_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

#[cfg(feature = "containers")]
async fn out_of_patience(stop: &Stop) {
    stop.requested().await;
    tokio::time::sleep(START_WITHIN).await;
}

#[cfg(not(feature = "containers"))]
const NOT_BUILT: &str = "this program was built without the containers world\n  build it with the feature `containers`, which is on by default";

/// Says that the program was built without the containers world.
///
/// # Errors
///
/// Always [`Trouble::World`].
#[cfg(not(feature = "containers"))]
pub async fn in_containers(
    _plan: Arc<Plan>,
    _setting: Setting,
    _progress: OnProgress,
    _stop: Stop,
) -> Result<History, Trouble> {
    Err(Trouble::World(NOT_BUILT.to_owned()))
}

/// Why no run can be made in the containers world.
#[cfg(not(feature = "containers"))]
pub async fn missing() -> Option<String> {
    Some(NOT_BUILT.to_owned())
}

/// Nothing was started, so nothing is cleaned up.
#[cfg(not(feature = "containers"))]
pub async fn clean_up() {}

impl From<RunError> for Trouble {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Stopped => Self::Stopped,
            RunError::World(_) | RunError::Subject { .. } | RunError::Broken(_) => {
                Self::Run(error.to_string())
            }
        }
    }
}

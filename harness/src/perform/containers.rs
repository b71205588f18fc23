//! A run in the containers world.

use std::sync::Arc;

use super::{OnProgress, Setting};
use crate::fault::{Act, ServerAct};
use crate::history::History;
use crate::plan::Plan;
use crate::report::Trouble;
use crate::stop::Stop;

/// Why the containers world cannot carry out what a fault does; `None` when it can.
pub(super) fn unsupported(act: &Act) -> Option<String> {
    let why = match act {
        Act::Server(ServerAct::ClockJump { .. }) => {
            return Some("a real server has the machine's clock; the sim world can do this".to_owned());
        }
        Act::Bend(_) | Act::Refuse | Act::Reset { .. } | Act::Server(_) | Act::Crash { .. } => return None,
        Act::Unreachable => "Toxiproxy either accepts or refuses, and lets no connect hang",
        Act::Answer(_) => "Toxiproxy does not know commands and replies",
        Act::SlowAccept { .. } => "Toxiproxy accepts at once",
        Act::HalfOpen => "Toxiproxy cannot silence some connections and let others go on",
    };
    Some(format!("{why}; the sim and local worlds can do this"))
}

#[cfg(feature = "containers")]
pub(super) async fn perform(
    plan: Arc<Plan>,
    setting: Setting,
    progress: OnProgress,
    stop: Stop,
) -> Result<History, Trouble> {
    use crate::run::Progress;
    use crate::world::containers::{Containers, Images};

    let recorder = crate::recorder::Recorder::new(squall_client::Clock::system());
    let images = Images::choose(setting.image.as_deref(), plan.redis.image.as_deref());
    let login = crate::world::Login::of(&plan.redis, plan.seed);
    let status = |what| progress(Progress::Preparing(what));
    let world = tokio::select! {
        biased;
        world = Containers::start(&images, plan.instances, plan.seed, &recorder, login, &status) => world,
        () = out_of_patience(&stop) => return Err(Trouble::Stopped),
    };
    let stage = crate::run::Stage {
        world: Box::new(world.map_err(|error| Trouble::World(error.to_string()))?),
        world_name: setting.world.name().to_owned(),
        subject: setting.subject(),
        recorder,
        progress,
        stop,
    };
    Ok(crate::run::run(plan, stage).await?)
}

/// Why no run can be made here, if so: Docker does not answer.
#[cfg(feature = "containers")]
pub(super) async fn missing() -> Option<String> {
    crate::world::containers::missing().await.map(|error| error.to_string())
}

/// Removes every container of this process.
#[cfg(feature = "containers")]
pub(super) async fn clean_up() {
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

#[cfg(not(feature = "containers"))]
pub(super) async fn perform(
    _plan: Arc<Plan>,
    _setting: Setting,
    _progress: OnProgress,
    _stop: Stop,
) -> Result<History, Trouble> {
    Err(Trouble::World(NOT_BUILT.to_owned()))
}

/// Why no run can be made here.
#[cfg(not(feature = "containers"))]
pub(super) async fn missing() -> Option<String> {
    Some(NOT_BUILT.to_owned())
}

/// Nothing was started, so nothing is cleaned up.
#[cfg(not(feature = "containers"))]
pub(super) async fn clean_up() {}

//! A run in the local world.

use std::sync::Arc;

use serde_json::Value;

use super::{OnProgress, Setting};
use crate::fault::{Act, ServerAct};
use crate::history::History;
use crate::plan::Plan;
use crate::report::Trouble;
use crate::run::Progress;
use crate::scenario::Topology;
use crate::stop::Stop;
use crate::subject::BoxFuture;
use crate::world::local::{self, Local, Nodes, Redis, UrlError};
use crate::world::{Login, World, WorldError};

/// A world that is up, and what must stand before every key of the run.
type Started = (Box<dyn World>, Option<String>);

const SETTLING: &str = "waiting until the machine is quiet";

/// Why the local world cannot carry out what a fault does; `None` when it can.
pub(super) fn unsupported(setting: &Setting, act: &Act) -> Option<String> {
    match act {
        Act::Bend(_)
        | Act::Refuse
        | Act::Reset { .. }
        | Act::Answer(_)
        | Act::SlowAccept { .. }
        | Act::HalfOpen
        | Act::Crash { .. } => None,
        Act::Unreachable if cfg!(target_os = "linux") => None,
        Act::Unreachable => {
            Some("only Linux lets a connect hang on its own machine; the sim world can do this".to_owned())
        }
        Act::Server(ServerAct::ClockJump { .. }) => {
            Some("a real server has the machine's clock; the sim world can do this".to_owned())
        }
        // An address that is none is told of when the world starts.
        Act::Server(act) => redis(setting).ok()?.unsupported(*act),
    }
}

/// Why the local world cannot let instances log in as a scenario says; `None` when it can.
pub(super) fn unsupported_login(setting: &Setting, plan: &Plan) -> Option<String> {
    redis(setting).ok()?.unsupported_login(&Login::of(&plan.redis, plan.seed))
}

/// Why the local world cannot have several servers; `None` when it can.
pub(super) fn unsupported_topology(setting: &Setting) -> Option<String> {
    redis(setting).ok()?.unsupported_nodes()
}

pub(super) async fn perform(
    plan: Arc<Plan>,
    setting: Setting,
    progress: OnProgress,
    stop: Stop,
) -> Result<History, Trouble> {
    let recorder = crate::recorder::Recorder::new(squall_client::Clock::system());
    let redis = redis(&setting).map_err(Trouble::World)?;
    let login = Login::of(&plan.redis, plan.seed);
    let status = |what| progress(Progress::Preparing(what));
    // Boxed, for so many futures within each other are more than the compiler goes through.
    let starting: BoxFuture<'_, Result<Started, Trouble>> = Box::pin(async {
        let topology = plan.redis.topology;
        let (instances, seed) = (plan.instances, plan.seed);
        let world: Started = if topology == Topology::Standalone {
            let world =
                Local::start(&redis, instances, seed, &recorder, login, &status).await.map_err(told)?;
            status(SETTLING.to_owned());
            world.settle().await;
            let prefix = world.key_prefix().map(str::to_owned);
            (Box::new(world), prefix)
        } else {
            let started = Nodes::start(&redis, topology, instances, seed, &recorder, login, &status).await;
            let world = started.map_err(told)?;
            status(SETTLING.to_owned());
            world.settle().await;
            (Box::new(world), None)
        };
        Ok(world)
    });
    let (world, prefix) = tokio::select! {
        biased;
        () = stop.requested() => return Err(Trouble::Stopped),
        world = starting => world?,
    };
    let plan = prefix.map_or_else(|| Arc::clone(&plan), |prefix| under(&plan, &prefix));
    let stage = crate::run::Stage {
        world,
        world_name: setting.world.name().to_owned(),
        subject: setting.subject(),
        recorder,
        progress,
        stop,
    };
    Ok(crate::run::run(plan, stage).await?)
}

fn told(error: WorldError) -> Trouble {
    Trouble::World(error.to_string())
}

/// Why no run can be made here, if so: there is no server.
pub(super) fn missing(setting: &Setting) -> Option<String> {
    match redis(setting) {
        Ok(redis) => redis.missing().map(|error| error.to_string()),
        Err(why) => Some(why),
    }
}

/// Ends every server of this process.
pub(super) async fn clean_up() {
    local::sweep().await;
}

fn redis(setting: &Setting) -> Result<Redis, String> {
    let of_environment = || {
        let tell = |error: UrlError| format!("SQUALL_REDIS_URL is no address of a server: {error}");
        Redis::of_environment(false).map_err(tell)
    };
    setting.redis.clone().map_or_else(of_environment, Ok)
}

/// The same plan with every key of the subject's under `prefix`.
fn under(plan: &Plan, prefix: &str) -> Arc<Plan> {
    const KEY: &str = "key_prefix";
    let mut plan = plan.clone();
    let own = plan.settings.get(KEY).and_then(Value::as_str).map(str::to_owned);
    let own = own.unwrap_or_else(|| squall_client::Settings::default().key_prefix);
    if let Some(settings) = plan.settings.as_object_mut() {
        settings.insert(KEY.to_owned(), Value::String(format!("{prefix}{own}")));
    }
    Arc::new(plan)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::Eviction;
    use crate::report::samples;
    use crate::world::Kind;
    use crate::world::local::RedisUrl;

    #[test]
    fn keys_lie_under_the_runs_prefix_whether_the_scenario_names_one_or_not() {
        let mut plan = samples::plan();
        let prefix = |plan: &Plan| under(plan, "run:").settings["key_prefix"].clone();
        plan.settings = serde_json::json!({});
        assert_eq!(prefix(&plan), "run:session:");
        plan.settings = serde_json::json!({ "key_prefix": "mine:" });
        assert_eq!(prefix(&plan), "run:mine:");
    }

    #[test]
    fn what_somebody_else_runs_is_never_struck() {
        let url = RedisUrl::parse("redis://h:1").unwrap();
        for destructive in [false, true] {
            let redis = Some(Redis::Given { url: url.clone(), destructive });
            let setting = Setting { redis, ..Setting::of(Kind::Local) };
            for act in [
                ServerAct::Pause,
                ServerAct::Kill,
                ServerAct::Restart { keep_data: true },
                ServerAct::KillClients,
                ServerAct::Flush,
                ServerAct::Evict { bytes: 1, policy: Eviction::AllkeysLru },
                ServerAct::MaxClients { clients: 1 },
                ServerAct::Script { busy_after: Duration::ZERO },
                ServerAct::PasswordChange,
                ServerAct::Demote,
            ] {
                let why = unsupported(&setting, &Act::Server(act)).unwrap();
                assert!(why.contains("--redis-url"), "{why}");
            }
            assert_eq!(unsupported(&setting, &Act::Refuse), None);
        }
    }
}

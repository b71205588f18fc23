//! A run in the sim world: a thread of its own, a runtime whose clock is paused, and from outside a watch on the wall clock.

use std::any::Any;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use squall_client::Clock;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::{OnProgress, Setting};
use crate::history::History;
use crate::plan::Plan;
use crate::recorder::{Pulse, Recorder};
use crate::report::Trouble;
use crate::run::{Stage, run};
use crate::stop::Stop;
use crate::world::Login;
use crate::world::sim::{EPOCH_MS, Sim};

/// How long virtual time may stand still while the wall clock goes on.
const STANDSTILL: Duration = Duration::from_secs(30);

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long a run that was told to end may take, by the wall clock, before its thread is left to itself.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

/// How much longer than its plan a run may take, in virtual time.
const GRACE: Duration = Duration::from_secs(600);

/// Why nobody speaks TLS in virtual time.
pub(super) const NO_TLS: &str = "TLS draws its keys from the system, so the same seed would not give the same bytes; the local world can do this";

type Outcome = Result<History, Trouble>;

/// Carries out `plan` in a thread of its own, so that nothing that another run left in a thread's memory can matter.
pub(super) async fn perform(plan: Arc<Plan>, setting: Setting, progress: OnProgress, stop: Stop) -> Outcome {
    let (cut, pulse) = (Stop::new(), Pulse::default());
    let (tell, mut told) = oneshot::channel();
    let inside = (stop.clone(), cut.clone(), pulse.clone());
    let thread = thread::Builder::new().name("sim".to_owned()).spawn(move || {
        let (stop, cut, pulse) = inside;
        // Nobody waits any more once the program is about to end.
        let _ = tell.send(here(plan, &setting, progress, stop, cut, pulse));
    });
    let thread = thread.map_err(|error| Trouble::World(format!("failed to start a thread: {error}")))?;
    let watch = standstill(&pulse);
    let stopped = async {
        stop.requested().await;
        sleep(ENDS_WITHIN).await;
    };
    tokio::select! {
        biased;
        outcome = &mut told => outcome.unwrap_or_else(|_| Err(Trouble::Run(last_words(thread)))),
        at = watch => {
            cut.request();
            // What it would have said does not matter, only that it ends.
            let _ = timeout(ENDS_WITHIN, told).await;
            Err(Trouble::Run(livelock(at)))
        }
        () = stopped => Err(Trouble::Stopped),
    }
}

/// Carries out `plan` in this thread.
fn here(
    plan: Arc<Plan>,
    setting: &Setting,
    progress: OnProgress,
    stop: Stop,
    cut: Stop,
    pulse: Pulse,
) -> Outcome {
    // Only time: a real socket and a paused clock must never meet.
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| Trouble::World(format!("failed to start a runtime: {error}")))?;
    runtime.block_on(async {
        let recorder = Recorder::with_pulse(Clock::new(EPOCH_MS), pulse);
        let limit = plan.length() + GRACE;
        let login = Login::of(&plan.redis, plan.seed);
        let stage = Stage {
            world: Box::new(Sim::start(plan.instances, plan.seed, &recorder, login)),
            world_name: setting.world.name().to_owned(),
            subject: setting.subject(),
            recorder,
            progress,
            stop,
        };
        tokio::select! {
            biased;
            () = cut.requested() => Err(Trouble::Stopped),
            outcome = timeout(limit, run(plan, stage)) => {
                outcome.map_or_else(|_| Err(Trouble::Run(overdue(limit))), |outcome| Ok(outcome?))
            }
        }
    })
}

/// Waits until virtual time has stood still for too long, and returns where, in nanoseconds since the start of the run.
async fn standstill(pulse: &Pulse) -> u64 {
    let (mut seen, mut stood) = (pulse.latest(), Duration::ZERO);
    loop {
        sleep(LOOK_EVERY).await;
        let latest = pulse.latest();
        stood = if latest == seen { stood + LOOK_EVERY } else { Duration::ZERO };
        seen = latest;
        if stood >= STANDSTILL {
            return latest;
        }
    }
}

fn livelock(at: u64) -> String {
    format!(
        "livelock: virtual time has stood at {:.3} s for {} s of the wall clock\n  something tries again and again without waiting; \
         every try must take time",
        Duration::from_nanos(at).as_secs_f64(),
        STANDSTILL.as_secs()
    )
}

fn overdue(limit: Duration) -> String {
    format!("the run did not end within {} s of virtual time", limit.as_secs())
}

/// What a thread said that ended without an outcome.
fn last_words(thread: JoinHandle<()>) -> String {
    let words = match thread.join() {
        Ok(()) => None,
        Err(panic) => Some(text(panic.as_ref()).unwrap_or("without a word").to_owned()),
    };
    format!("a part of Squall panicked: {}", words.unwrap_or_else(|| "it left no outcome".to_owned()))
}

fn text(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied())
}

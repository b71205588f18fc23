//! Carries out a plan's phases and strikes when their time has come.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Progress;
use crate::history::Event;
use crate::plan::{Plan, Strike};
use crate::recorder::Recorder;
use crate::world::{World, WorldError};

/// Starts a task for the phases and one for each strike. Each ends when its part of the plan is carried out.
pub(super) fn start(
    plan: &Arc<Plan>,
    world: &Arc<dyn World>,
    recorder: &Recorder,
    progress: &Arc<dyn Fn(Progress) + Send + Sync>,
) -> JoinSet<Result<(), WorldError>> {
    let mut tasks = JoinSet::new();
    tasks.spawn(phases(Arc::clone(plan), recorder.clone(), Arc::clone(progress)));
    for (number, strike) in (0..).zip(&plan.strikes) {
        tasks.spawn(carry_out(number, strike.clone(), plan.instances, Arc::clone(world), recorder.clone()));
    }
    tasks
}

async fn phases(
    plan: Arc<Plan>,
    recorder: Recorder,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> Result<(), WorldError> {
    for phase in &plan.phases {
        recorder.until(phase.from).await;
        recorder.record(Event::Phase { name: phase.name.clone() });
        let left = plan.length().saturating_sub(Duration::from_nanos(phase.from));
        progress(Progress::Phase { name: phase.name.clone(), left });
    }
    recorder.until(u64::try_from(plan.length().as_nanos()).unwrap_or(u64::MAX)).await;
    Ok(())
}

async fn carry_out(
    fault: u32,
    strike: Strike,
    instances: u16,
    world: Arc<dyn World>,
    recorder: Recorder,
) -> Result<(), WorldError> {
    let struck =
        if strike.instances.is_empty() { (0..instances).collect() } else { strike.instances.clone() };
    let event = |on, asked| Event::Fault {
        fault,
        what: strike.what.clone(),
        instances: Vec::clone(&struck),
        on,
        asked,
        effect: strike.effect(),
    };
    recorder.until(strike.from).await;
    let asked = recorder.now();
    world.begin(fault, &strike).await?;
    recorder.record(event(true, asked));
    recorder.until(strike.to).await;
    let asked = recorder.now();
    world.end(fault, &strike).await?;
    recorder.record(event(false, asked));
    Ok(())
}

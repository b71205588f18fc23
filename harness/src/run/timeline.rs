//! Carries out a plan's phases and strikes when their time has come.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::player::Player;
use super::starter::Starter;
use super::{Progress, RunError, crash, nanos};
use crate::fault::Act;
use crate::history::Event;
use crate::plan::{Plan, Strike};
use crate::recorder::Recorder;

/// Starts a task for the phases and one for each strike. Each ends when its part of the plan is carried out.
pub(super) fn start(
    starter: &Starter,
    players: &[Arc<Player>],
    progress: &Arc<dyn Fn(Progress) + Send + Sync>,
) -> JoinSet<Result<(), RunError>> {
    let Starter { plan, recorder, .. } = starter;
    let mut tasks = JoinSet::new();
    tasks.spawn(phases(Arc::clone(plan), recorder.clone(), Arc::clone(progress)));
    for (number, strike) in (0..).zip(&plan.strikes) {
        let meant =
            |player: &&Arc<Player>| strike.instances.is_empty() || strike.instances.contains(&player.number);
        let struck = players.iter().filter(meant).map(Arc::clone).collect();
        let striking = Striking { number, strike: strike.clone(), struck, starter: starter.clone() };
        tasks.spawn(striking.carry_out());
    }
    tasks
}

async fn phases(
    plan: Arc<Plan>,
    recorder: Recorder,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> Result<(), RunError> {
    for phase in &plan.phases {
        recorder.until(phase.from).await;
        recorder.record(Event::Phase { name: phase.name.clone() });
        let left = plan.length().saturating_sub(Duration::from_nanos(phase.from));
        progress(Progress::Phase { name: phase.name.clone(), left });
    }
    recorder.until(nanos(plan.length())).await;
    Ok(())
}

/// A strike with those whom it strikes.
struct Striking {
    number: u32,
    strike: Strike,
    struck: Vec<Arc<Player>>,
    starter: Starter,
}

impl Striking {
    async fn carry_out(self) -> Result<(), RunError> {
        let recorder = &self.starter.recorder;
        recorder.until(self.strike.from).await;
        let asked = recorder.now();
        self.begin().await?;
        recorder.record(self.event(true, asked));
        recorder.until(self.strike.to).await;
        let asked = recorder.now();
        self.end().await?;
        recorder.record(self.event(false, asked));
        Ok(())
    }

    async fn begin(&self) -> Result<(), RunError> {
        match self.strike.act {
            Act::Crash { orderly } => crash::end(&self.struck, orderly, &self.starter).await,
            _ => Ok(self.starter.world.begin(self.number, &self.strike).await?),
        }
    }

    async fn end(&self) -> Result<(), RunError> {
        match self.strike.act {
            Act::Crash { .. } => crash::start_again(&self.struck, &self.starter).await,
            _ => Ok(self.starter.world.end(self.number, &self.strike).await?),
        }
    }

    fn event(&self, on: bool, asked: u64) -> Event {
        let named = self.strike.instances.clone();
        let all = || self.struck.iter().map(|player| player.number).collect();
        Event::Fault {
            fault: self.number,
            what: self.strike.what.clone(),
            instances: if named.is_empty() { all() } else { named },
            on,
            asked,
            effect: self.strike.effect(),
        }
    }
}

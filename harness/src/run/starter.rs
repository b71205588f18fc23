//! Starts instances, the first ones and those that follow one that crashed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::RunError;
use super::disk::Disk;
use super::player::Life;
use crate::history::Event;
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::subject::{Hello, Said, Start, Subject};
use crate::world::World;

/// What is needed to start an instance.
#[derive(Clone)]
pub(super) struct Starter {
    pub(super) plan: Arc<Plan>,
    pub(super) world: Arc<dyn World>,
    pub(super) subject: Arc<dyn Subject>,
    pub(super) recorder: Recorder,
    pub(super) disk: Disk,
}

impl Starter {
    /// Starts an instance of that number, which is called `name`.
    pub(super) async fn start(&self, number: u16, name: &str) -> Result<(Life, Hello), RunError> {
        let recorder = self.recorder.clone();
        let heard = Arc::new(AtomicBool::new(true));
        let hears = Arc::clone(&heard);
        let observer = Arc::new(move |said| {
            if hears.load(Ordering::SeqCst) {
                recorder.record(event_of(number, said));
            }
        });
        let start = Start {
            instance: number,
            route: self.world.route(number),
            settings: self.plan.settings.clone(),
            through: self.plan.through,
            encryption: self.plan.encryption(),
            environment: self.plan.environment,
            seed: self.plan.seed.wrapping_add(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            clock: self.recorder.clock().clone(),
            observer,
            disk: self.disk.folder(number)?,
        };
        let failed = |cause| RunError::Subject { instance: name.to_owned(), cause };
        let (instance, hello) = self.subject.start(start).await.map_err(failed)?;
        Ok((Life::new(instance, heard), hello))
    }
}

/// What the instance of that number is called.
pub(super) fn name_of(number: u16) -> String {
    format!("instance-{number}")
}

fn event_of(instance: u16, said: Said) -> Event {
    match said {
        Said::Breaker { from, to } => Event::Breaker { instance, from, to },
        Said::Mode(to) => Event::Mode { instance, to },
        Said::Resync(what) => Event::Resync { instance, what },
    }
}

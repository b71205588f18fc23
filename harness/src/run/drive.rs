//! Drives one instance with its share of the load: an open loop, so a stall is not hidden.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::player::Player;
use super::several;
use super::turns::{Ticket, Turns};
use crate::history::{Event, Outcome, Sample};
use crate::load::{Operation, value};
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::subject::{Done, OperationError, Request};
use crate::world::World;

/// Starts each operation when it is due, and waits for all of them; those due while the instance is gone are left out. Those that have not ended at `give_up_at` (nanoseconds
/// since the start of the run) are left without a return, which the checks see.
pub(super) async fn drive(plan: Arc<Plan>, player: Arc<Player>, recorder: Recorder, give_up_at: u64) {
    let operations = plan.operations.get(usize::from(player.number)).cloned().unwrap_or_default();
    let next_id = u64::from(player.number);
    let (running, turns) = (JoinSet::new(), Turns::default());
    let mut driver = Driver { plan, player, recorder, running, turns, next_id };
    for operation in operations {
        driver.until(operation.due).await;
        driver.take(operation);
    }
    let recorder = driver.recorder.clone();
    tokio::select! {
        biased;
        () = driver.rest() => {}
        () = recorder.until(give_up_at) => driver.running.shutdown().await,
    }
}

struct Driver {
    plan: Arc<Plan>,
    player: Arc<Player>,
    recorder: Recorder,
    running: JoinSet<Ticket>,
    turns: Turns,
    /// Instances take turns with the numbers, so that they are the same in every run of a plan.
    next_id: u64,
}

impl Driver {
    /// Lets operations end until it is time.
    async fn until(&mut self, due: u64) {
        let recorder = self.recorder.clone();
        let time = recorder.until(due);
        tokio::pin!(time);
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next() => self.ended(ended),
                () = &mut time => return,
            }
        }
    }

    /// Lets every operation end.
    async fn rest(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            self.ended(ended);
        }
    }

    /// Starts an operation, or lets it wait for those that run on the same sessions.
    fn take(&mut self, operation: Operation) {
        let started = if self.plan.overlap { Some((0, operation)) } else { self.turns.take(operation) };
        started.into_iter().for_each(|(ticket, operation)| self.start(ticket, operation));
    }

    fn ended(&mut self, ended: Result<Ticket, tokio::task::JoinError>) {
        // A panic in the subject leaves its operation without a return; the checks report that.
        let Ok(ticket) = ended else { return };
        for (ticket, operation) in self.turns.ended(ticket) {
            self.start(ticket, operation);
        }
    }

    fn start(&mut self, ticket: Ticket, operation: Operation) {
        let step = u64::from(self.plan.instances);
        let ids = operation.sessions().iter().zip(0_u64..).map(|(_, place)| self.next_id + place * step);
        let ids: Vec<u64> = ids.collect();
        self.next_id += step * ids.len() as u64;
        let (plan, player, recorder) =
            (Arc::clone(&self.plan), Arc::clone(&self.player), self.recorder.clone());
        self.running.spawn(async move {
            let Operation { due, several, .. } = &operation;
            match several {
                Some(several) => several::perform(&plan, &player, several, *due, &ids, &recorder).await,
                None => perform(&player, operation, ids.first().copied().unwrap_or(0), &recorder).await,
            }
            ticket
        });
    }
}

/// Hands an operation to the instance, and records how it ends. While nobody has the number it is not made at all.
async fn perform(player: &Player, operation: Operation, id: u64, recorder: &Recorder) {
    let Operation { due, kind, session, value, ttl_ms, .. } = operation;
    let Some(handed) = player.hand() else { return };
    let bytes = value.map(|(write, size)| value::value(write, session, size));
    let write = value.map(|(write, _)| write);
    recorder.record(Event::Invoke { id, instance: player.number, op: kind, session, write, ttl_ms, due });
    let outcome = tokio::select! {
        biased;
        () = handed.cut() => crashed(),
        reply = handed.to().call(Request { kind, session, value: bytes, ttl_ms }) => outcome_of(reply),
    };
    recorder.record(Event::Return { id, outcome });
}

/// What became of an operation nobody can say: the instance is gone.
pub(super) fn crashed() -> Outcome {
    Outcome::Unknown { code: "crashed".to_owned(), text: "the instance crashed".to_owned() }
}

pub(super) fn outcome_of(reply: Result<Done, OperationError>) -> Outcome {
    match reply {
        Ok(Done { served_by, saw }) => Outcome::Ok { served_by, saw },
        Err(OperationError { code, definite: true, text }) => Outcome::Failed { code, text },
        Err(OperationError { code, definite: false, text }) => Outcome::Unknown { code, text },
    }
}

/// Samples every instance again and again, until it is ended.
pub(super) async fn sample(
    players: Vec<Arc<Player>>,
    world: Arc<dyn World>,
    recorder: Recorder,
    every: Duration,
) {
    let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX);
    for tick in 1_u64.. {
        recorder.until(tick.saturating_mul(every)).await;
        for player in &players {
            let Some(life) = player.now() else { continue };
            let what = Sample {
                connections: Some(world.connections(player.number)),
                in_flight: Some(life.in_flight()),
                ..life.instance.sample()
            };
            recorder.record(Event::Sample { instance: player.number, what });
        }
    }
}

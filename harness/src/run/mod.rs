//! The conductor: the one place that knows world, subject and load. It carries out a plan and returns the history.

mod broken;
mod crash;
mod disk;
mod drive;
mod finals;
mod player;
mod several;
mod starter;
mod tell;
mod timeline;
mod turns;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinSet;

use crate::check::{Allow, Expect};
use crate::history::{Capability, Event, Head, History, Rules, SCHEMA};
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::stop::Stop;
use crate::subject::{Hello, Subject, SubjectError};
use crate::world::{World, WorldError};
use disk::Disk;
use player::Player;
use starter::{Starter, name_of};

/// How often every instance is sampled, unless that is too often for a long run.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);

/// How often at most in one run: a day of virtual time takes seconds, and must not leave a history of gigabytes.
const SAMPLES: u32 = 4000;

/// How long all final reads together may take.
const FINALS_WITHIN: Duration = Duration::from_secs(120);

/// How long an instance may take to end.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);

/// What the instance of the final reads is called.
const FRESH: &str = "the fresh instance";

/// What a run needs beside its plan.
pub struct Stage {
    /// The world, up and ready.
    pub world: Box<dyn World>,
    /// The world's name, such as `containers`.
    pub world_name: String,
    /// The client under test.
    pub subject: Arc<dyn Subject>,
    /// The history, shared with the world's tap.
    pub recorder: Recorder,
    /// Told of each phase as it begins.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
    /// Ends the run early when requested.
    pub stop: Stop,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something that has no place in the plan's time, such as `pulling redis:8.0.2`.
    Preparing(String),
    /// A phase began.
    Phase {
        /// Its name.
        name: String,
        /// How long the run still lasts until its final reads.
        left: Duration,
    },
    /// The load is over; the final reads are made.
    Finals,
}

/// Why a run has no history.
#[derive(Debug, Error)]
pub enum RunError {
    /// The world failed.
    #[error(transparent)]
    World(#[from] WorldError),
    /// An instance did not start.
    #[error("{instance}: {cause}")]
    Subject {
        /// The instance.
        instance: String,
        /// Why.
        cause: SubjectError,
    },
    /// An instance broke: its process ended, or does not keep to the protocol.
    #[error("{instance} broke: {why}")]
    Instance {
        /// The instance.
        instance: String,
        /// Why, with what it said last.
        why: String,
    },
    /// The subject lacks something that the scenario needs.
    #[error("{0}")]
    Lacks(String),
    /// A part of the run panicked.
    #[error("a part of the run ended unexpectedly: {0}")]
    Broken(String),
    /// It was asked to stop.
    #[error("stopped before its end")]
    Stopped,
}

/// Carries out `plan` and returns what happened. The world is closed at the end, whatever the end is.
pub async fn run(plan: Arc<Plan>, stage: Stage) -> Result<History, RunError> {
    let Stage { world, world_name, subject, recorder, progress, stop } = stage;
    let world: Arc<dyn World> = Arc::from(world);
    let outcome = {
        let conduct = async {
            let disk = Disk::of(&plan)?;
            let starter = Starter { plan, world: Arc::clone(&world), subject, recorder, disk };
            Conductor { starter, world_name, progress }.conduct().await
        };
        tokio::select! {
            biased;
            () = stop.requested() => Err(RunError::Stopped),
            error = world.failed() => Err(error.into()),
            outcome = conduct => outcome,
        }
    };
    let closed = world.close().await;
    let history = outcome?;
    closed?;
    Ok(history)
}

struct Conductor {
    starter: Starter,
    world_name: String,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

impl Conductor {
    async fn conduct(&self) -> Result<History, RunError> {
        (self.progress)(Progress::Preparing("starting the subject".to_owned()));
        let (players, hellos) = self.start_players().await?;
        if let Some(lacks) = self.lacks(&hellos) {
            self.end_players(&players).await?;
            return Err(lacks);
        }
        self.starter.recorder.start();
        let outcome = tokio::select! {
            biased;
            outcome = self.play(&players, &hellos) => outcome,
            error = broken::any(&players) => Err(error),
        };
        let ended = self.end_players(&players).await;
        outcome?;
        ended?;
        Ok(History { head: self.head(&hellos), entries: self.starter.recorder.take() })
    }

    /// Ends every instance, and says which did not end as it should, if one did not.
    async fn end_players(&self, players: &[Arc<Player>]) -> Result<(), RunError> {
        let mut outcome = Ok(());
        for player in players {
            let Some(life) = player.now() else { continue };
            let ended = broken::end(life.instance.as_ref(), &name_of(player.number), SHUTDOWN_WITHIN).await;
            outcome = outcome.and(ended);
        }
        outcome
    }

    /// The subject lacks what the scenario asks for, if so: the interface that the load goes through, encryption, the environment, or a disk.
    fn lacks(&self, hellos: &[Hello]) -> Option<RunError> {
        let (plan, can) = (&self.starter.plan, can(hellos));
        let lacks = |capability: &Capability| !can.contains(capability);
        if plan.rules.encrypted && lacks(&Capability::Encryption) {
            return Some(RunError::Lacks(
                "values are to be encrypted, and the subject does not say that it can do that (capability `encryption`)".to_owned(),
            ));
        }
        if plan.environment.is_some() && lacks(&Capability::Environment) {
            return Some(RunError::Lacks(
                "where Redis is says the environment, and the subject does not say that it looks there (capability `environment`)".to_owned(),
            ));
        }
        if plan.disk && lacks(&Capability::Durable) {
            return Some(RunError::Lacks(
                "what is accepted without Redis is to outlive a crash, and the subject does not say that it does (capability `durable`)".to_owned(),
            ));
        }
        if let Some(many) = plan.several().find(|many| lacks(&many.needs())) {
            let name = many.name();
            return Some(RunError::Lacks(format!(
                "the load has `{name}`, and the subject does not say that it has requests on several sessions of this kind (capability `{name}`)"
            )));
        }
        plan.through.needs().filter(lacks)?;
        let name = plan.through.name();
        Some(RunError::Lacks(format!(
            "the load goes through the interface `{name}`, and the subject does not say that it has it (capability `{name}`)"
        )))
    }

    async fn start_players(&self) -> Result<(Vec<Arc<Player>>, Vec<Hello>), RunError> {
        let (mut players, mut hellos) = (Vec::new(), Vec::new());
        for number in 0..self.starter.plan.instances {
            let (life, hello) = self.starter.start(number, &name_of(number)).await?;
            let secrets = self.starter.world.route(number).secrets();
            players.push(Arc::new(Player::new(number, secrets, life)));
            hellos.push(hello);
        }
        Ok((players, hellos))
    }

    /// Everything between the start of the run and the last final read.
    async fn play(&self, players: &[Arc<Player>], hellos: &[Hello]) -> Result<(), RunError> {
        let Starter { plan, world, recorder, .. } = &self.starter;
        let mut timeline = timeline::start(&self.starter, players, &self.progress);
        let mut load = JoinSet::new();
        // When an operation that has not ended is given up.
        let give_up_at = nanos(plan.length() + patience(plan));
        for player in players {
            let (plan, player) = (Arc::clone(plan), Arc::clone(player));
            load.spawn(drive::drive(plan, player, recorder.clone(), give_up_at));
        }
        let mut samples = JoinSet::new();
        samples.spawn(drive::sample(
            players.to_vec(),
            Arc::clone(world),
            recorder.clone(),
            SAMPLE_EVERY.max(plan.length() / SAMPLES),
        ));
        let mut questions = tell::start(plan, players, &can(hellos), recorder);
        while let Some(ended) = timeline.join_next().await {
            ended.map_err(|cause| RunError::Broken(cause.to_string()))??;
        }
        while let Some(ended) = load.join_next().await {
            ended.map_err(|cause| RunError::Broken(cause.to_string()))?;
        }
        while let Some(ended) = questions.join_next().await {
            ended.map_err(|cause| RunError::Broken(cause.to_string()))?;
        }
        samples.shutdown().await;
        (self.progress)(Progress::Finals);
        recorder.record(Event::Phase { name: "final".to_owned() });
        let key = hellos.first().map(|hello| hello.key.as_str()).unwrap_or_default();
        self.look(players, key).await
    }

    /// The final reads.
    async fn look(&self, players: &[Arc<Player>], key: &str) -> Result<(), RunError> {
        let Starter { plan, world, recorder, .. } = &self.starter;
        let (fresh, _) = self.starter.start(plan.instances, FRESH).await?;
        let fresh = fresh.instance;
        let (world, patience) = (world.as_ref(), patience(plan));
        let marks = plan.rules.encrypted.then(|| plan.marks());
        let readers = finals::Readers { players, fresh: fresh.as_ref(), world, key, patience, marks };
        let reads = readers.read_all(plan.sessions, recorder);
        let read = tokio::select! {
            biased;
            // What has not been read by then is missing from the history, and the judgement says so.
            read = tokio::time::timeout(FINALS_WITHIN, reads) => read.unwrap_or(Ok(())).map_err(RunError::World),
            why = fresh.broken() => Err(RunError::Instance { instance: FRESH.to_owned(), why }),
        };
        let ended = broken::end(fresh.as_ref(), FRESH, SHUTDOWN_WITHIN).await;
        read.and(ended)
    }

    fn head(&self, hellos: &[Hello]) -> Head {
        let plan = &self.starter.plan;
        let ignored: BTreeSet<String> =
            hellos.iter().flat_map(|hello| hello.ignored.iter().cloned()).collect();
        Head {
            schema: SCHEMA,
            scenario: plan.scenario.clone(),
            proves: plan.proves.clone(),
            origin: plan.origin.clone(),
            seed: plan.seed,
            world: self.world_name.clone(),
            world_notes: self.starter.world.notes(),
            subject: hellos.first().map(|hello| hello.name.clone()).unwrap_or_default(),
            key: hellos.first().map(|hello| hello.key.clone()).unwrap_or_default(),
            ignored: ignored.into_iter().collect(),
            instances: plan.instances,
            sessions: plan.sessions,
            phases: plan.phases.clone(),
            faults: u32::try_from(plan.strikes.len()).unwrap_or(u32::MAX),
            rules: Rules { can: can(hellos), ..plan.rules.clone() },
            expect: Expect::clone(&plan.expect),
            allow: Vec::<Allow>::clone(&plan.allow),
            canary: plan.canary.clone(),
        }
    }
}

/// What every instance can do.
fn can(hellos: &[Hello]) -> BTreeSet<Capability> {
    let mut each = hellos.iter().map(|hello| hello.can.iter().copied().collect::<BTreeSet<_>>());
    let first = each.next().unwrap_or_default();
    each.fold(first, |all, one| all.intersection(&one).copied().collect())
}

/// How long an operation may take before it is given up: a little more than it may take at all.
fn patience(plan: &Plan) -> Duration {
    plan.rules.response_within + Duration::from_secs(2)
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

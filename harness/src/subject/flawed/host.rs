//! What a flaw finds around it: the client that it sits in, a way to Redis of its own, and what the client says of itself.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use redis_protocol::resp2::types::OwnedFrame;
use squall_client::{Clock, Connect, Time};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answers::{self, Reply};
use super::raw::{self, Raw};
use crate::history::{BreakerState, Mode, SessionId};
use crate::load::Several;
use crate::subject::{BoxFuture, Instance, Request, Said, Start};

/// How long a flaw waits at most for its own connection.
const PATIENCE: Duration = Duration::from_millis(200);

/// Everything around a flaw.
pub(super) struct Host {
    /// The client, once it has started, and where it keeps a session.
    sound: OnceLock<(Box<dyn Instance>, String)>,
    observer: Arc<dyn Fn(Said) + Send + Sync>,
    redis: Arc<dyn Connect>,
    clock: Clock,
    /// What the client truly says.
    truth: Mutex<(BreakerState, Mode)>,
    tasks: Mutex<JoinSet<()>>,
}

impl Host {
    /// What is around a flaw whose client is about to start.
    pub(super) fn new(start: &Start) -> Self {
        Self {
            sound: OnceLock::new(),
            observer: Arc::clone(&start.observer),
            redis: raw::connector(&start.route),
            clock: start.clock.clone(),
            truth: Mutex::new((BreakerState::Closed, Mode::Redis)),
            tasks: Mutex::default(),
        }
    }

    /// The client has started.
    pub(super) fn started(&self, sound: Box<dyn Instance>, key: String) {
        // There is only one start.
        let _ = self.sound.set((sound, key));
    }

    /// The client, once it has started.
    pub(super) fn sound(&self) -> Option<&dyn Instance> {
        self.sound.get().map(|(sound, _)| sound.as_ref())
    }

    /// Asks the client.
    pub(super) fn call(&self, request: Request) -> BoxFuture<'_, Reply> {
        match self.sound() {
            Some(sound) => sound.call(request),
            None => Box::pin(std::future::ready(answers::unavailable())),
        }
    }

    /// Asks the client for several sessions at once.
    pub(super) fn call_several(&self, several: Several) -> BoxFuture<'_, Vec<Reply>> {
        match self.sound() {
            Some(sound) => sound.call_several(several),
            None => {
                let replies = several.sessions.iter().map(|_| answers::unavailable());
                Box::pin(std::future::ready(replies.collect()))
            }
        }
    }

    /// Says something to the observer.
    pub(super) fn say(&self, said: Said) {
        (self.observer)(said);
    }

    /// The time.
    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Notes what the client truly says.
    pub(super) fn note(&self, said: Said) {
        let mut truth = self.truth();
        match said {
            Said::Breaker { to, .. } => truth.0 = to,
            Said::Mode(mode) => truth.1 = mode,
            Said::Resync(_) => {}
        }
    }

    /// The client's breaker.
    pub(super) fn breaker(&self) -> BreakerState {
        self.truth().0
    }

    /// Whether the client does without Redis just now.
    pub(super) fn away(&self) -> bool {
        *self.truth() != (BreakerState::Closed, Mode::Redis)
    }

    /// Does something beside the operations, until the instance ends.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends what was spawned.
    pub(super) fn end_tasks(&self) {
        drop(std::mem::take(&mut *self.tasks()));
    }

    /// Asks the client for these after a while, one after the other, though nobody wanted them.
    pub(super) fn later(self: &Arc<Self>, wait: Duration, requests: Vec<Request>) {
        let host = Arc::clone(self);
        self.spawn(async move {
            sleep(wait).await;
            for request in requests {
                // Whatever becomes of it, nobody is told.
                let _ = host.call(request).await;
            }
        });
    }

    /// Where a session lies in Redis.
    pub(super) fn key(&self, session: SessionId) -> String {
        let Some((sound, key)) = self.sound.get() else { return String::new() };
        sound.key(session).unwrap_or_else(|| key.replace("{session}", &session.to_string()))
    }

    /// A connection of the flaw's own; none if that takes long.
    pub(super) async fn connection(&self) -> Option<Raw> {
        timeout(PATIENCE, Raw::open(self.redis.as_ref())).await.ok()?.ok()
    }

    /// Sends commands over a connection of the flaw's own, all at once, and returns the replies that come soon.
    pub(super) async fn ask(&self, commands: &[&[&[u8]]]) -> Vec<OwnedFrame> {
        let mut replies = Vec::new();
        let asking = async {
            let mut raw = Raw::open(self.redis.as_ref()).await?;
            for command in commands {
                raw.send(command).await?;
            }
            while replies.len() < commands.len() {
                replies.push(raw.reply().await?);
            }
            std::io::Result::Ok(())
        };
        // Late, broken or refused: what came is what there is.
        let _ = timeout(PATIENCE, asking).await;
        replies
    }

    fn truth(&self) -> MutexGuard<'_, (BreakerState, Mode)> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

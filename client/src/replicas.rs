//! Whether replicas have a write.
//!
//! `WAIT` stops the connection on which it is sent until replicas have everything that was written on it, so it has one of its
//! own. There a fence is written first: replication is one stream in order, so replicas that have the fence have all that Redis
//! had before it. One fence serves all writes that await one.
//!
//! ```text
//! shared connections:   write a .. write b .. write c ..         answered by process P
//! connection beside:        fence, WAIT ......... fence, WAIT    to the same process P, or nothing is said
//!                           (a)                   (b, c)
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::connection::Connection;
use crate::core::time::Time;
use crate::error::CallError;
use crate::gateway::Gateway;
use crate::keys;
use crate::settings::{Live, ReplicaSettings};
use crate::task::AbortOnDrop;

/// Asks replicas, one fence at a time.
pub(crate) struct Replicas {
    settings: Arc<Live>,
    clock: Clock,
    asking: Mutex<Option<mpsc::UnboundedSender<Asked>>>,
    task: AbortOnDrop,
}

/// A write whose replicas are asked about.
struct Asked {
    /// The process of Redis that answered it.
    by: Arc<str>,
    /// How many replicas must have it.
    acknowledgements: u32,
    told: oneshot::Sender<bool>,
}

/// The connection beside the pool, and the process of Redis that it leads to.
struct Beside {
    connection: Connection,
    run_id: Arc<str>,
}

impl Replicas {
    /// Nothing is sent until replicas are asked about. Must be called within a tokio runtime.
    pub(crate) fn start(settings: Arc<Live>, clock: Clock, gateway: Gateway) -> Self {
        let (asking, asked) = mpsc::unbounded_channel();
        let task = tokio::spawn(answer(asked, Arc::clone(&settings), clock.clone(), gateway)).abort_handle();
        Self { settings, clock, asking: Mutex::new(Some(asking)), task: AbortOnDrop(task) }
    }

    /// Whether as many replicas as the settings ask for have a write that the process `by` of Redis answered, as far as that
    /// shows within the timeout and by `deadline`.
    pub(crate) async fn have(&self, by: Arc<str>, deadline: Time) -> bool {
        let ReplicaSettings { acknowledgements, timeout } = self.settings.now().replicas;
        // Without its name, nobody knows whether the fence is written to the same process.
        if acknowledgements == 0 || by.is_empty() {
            return false;
        }
        let (told, answer) = oneshot::channel();
        let asked = self
            .lock()
            .as_ref()
            .is_some_and(|asking| asking.send(Asked { by, acknowledgements, told }).is_ok());
        let end = deadline.min(self.clock.now() + timeout);
        asked && matches!(tokio::time::timeout_at(self.clock.instant(end), answer).await, Ok(Ok(true)))
    }

    /// Asks no more.
    pub(crate) fn close(&self) {
        self.lock().take();
        self.task.0.abort();
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Asked>>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers until nobody asks any more.
async fn answer(
    mut asked: mpsc::UnboundedReceiver<Asked>,
    settings: Arc<Live>,
    clock: Clock,
    gateway: Gateway,
) {
    let (mut beside, mut not_before) = (None, clock.now());
    while let Some(first) = asked.recv().await {
        let mut waiting = vec![first];
        while let Ok(more) = asked.try_recv() {
            waiting.push(more);
        }
        waiting.retain(|asked| !asked.told.is_closed());
        if waiting.is_empty() || clock.now() < not_before {
            continue;
        }
        let of = settings.now();
        let most = waiting.iter().map(|asked| asked.acknowledgements).max().unwrap_or_default();
        let wanted =
            ReplicaSettings { acknowledgements: most, timeout: of.replicas.timeout.min(of.deadline) };
        let fenced = fence(&mut beside, &gateway, &of.key_prefix, wanted).await;
        let Ok((by, replicas)) = fenced else {
            beside = None;
            not_before = clock.now() + PAUSE;
            continue;
        };
        for Asked { by: answered, acknowledgements, told } in waiting {
            // Who asked may have gone.
            let _gone = told.send(answered == by && replicas >= i64::from(acknowledgements));
        }
    }
}

/// Writes a fence and waits for replicas. Says which process did so, and how many replicas have it.
async fn fence(
    beside: &mut Option<Beside>,
    gateway: &Gateway,
    key_prefix: &str,
    of: ReplicaSettings,
) -> Result<(Arc<str>, i64), CallError> {
    let open = match beside.take().filter(|open| open.connection.usable()) {
        Some(open) => open,
        None => {
            let (connection, greeting) = gateway.connection_beside().await?;
            Beside { connection, run_id: greeting.run_id.into() }
        }
    };
    let Beside { connection, run_id } = beside.insert(open);
    let mut set = redis::cmd("SET");
    set.arg(keys::fence(key_prefix)).arg("").arg("PX").arg(FENCE_LIVES.as_millis() as u64);
    connection.send(&set, of.timeout).await?;
    let mut wait = redis::cmd("WAIT");
    wait.arg(of.acknowledgements).arg(of.timeout.as_millis() as u64);
    match connection.send(&wait, of.timeout * 2).await? {
        Value::Int(replicas) => Ok((Arc::clone(run_id), replicas)),
        _ => Err(CallError::Refused("an answer of another form than was asked for".to_owned())),
    }
}

/// How long replicas are not asked after that went wrong.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a fence stays in Redis.
const FENCE_LIVES: Duration = Duration::from_secs(60);

//! The one room of the chat: what is said goes to everybody on this worker at once, and to the other workers through Redis's
//! publish and subscribe. That remembers nothing: what is said while Redis is away stays on its worker.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, PushInfo, PushKind, RedisResult, Value};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use tracing::{info, warn};

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The worker on which it was said, so that none hears itself.
    worker: String,
    /// Who said it.
    pub(crate) from: String,
    /// What was said.
    pub(crate) text: String,
}

/// The room.
pub(crate) struct Room {
    worker: String,
    here: broadcast::Sender<Said>,
    elsewhere: mpsc::Sender<Said>,
}

impl Room {
    /// Opens it on a worker of this name.
    pub(crate) fn start(redis: Option<String>, worker: String) -> Self {
        let (here, _) = broadcast::channel(256);
        let (elsewhere, waiting) = mpsc::channel(256);
        let url =
            redis.filter(|url| !url.is_empty()).unwrap_or_else(|| "redis://localhost:6379/0".to_owned());
        // The protocol in which one connection both says and hears. The client has refused addresses with options already.
        match redis::Client::open(format!("{url}?protocol=resp3")) {
            Ok(client) => {
                let between = Between { client, worker: worker.clone(), here: here.clone(), waiting };
                drop(tokio::spawn(between.carry()));
            }
            // The address may hold a password.
            Err(_) => {
                warn!("messages stay within this worker: between workers they go by redis://, without TLS")
            }
        }
        Self { worker, here, elsewhere }
    }

    /// Says something to everybody.
    pub(crate) fn say(&self, from: &str, text: &str) {
        let said = Said { worker: self.worker.clone(), from: from.to_owned(), text: text.to_owned() };
        // Where more is said than Redis carries, some of it stays on this worker.
        let _carried = self.elsewhere.try_send(said.clone());
        let _heard_by = self.here.send(said);
    }

    /// Hears what is said from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Said> {
        self.here.subscribe()
    }
}

/// The way between workers.
struct Between {
    client: redis::Client,
    worker: String,
    here: broadcast::Sender<Said>,
    waiting: mpsc::Receiver<Said>,
}

impl Between {
    /// Carries what is said, for ever.
    async fn carry(mut self) {
        loop {
            if let Ok((connection, pushes)) = self.connect().await {
                info!("messages go to the other workers");
                self.carry_by(connection, pushes).await;
                warn!("messages stay within this worker until redis is back");
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            // Old news: the other workers are not all back yet, and would hear it in part.
            while self.waiting.try_recv().is_ok() {}
        }
    }

    async fn connect(&self) -> RedisResult<(MultiplexedConnection, mpsc::UnboundedReceiver<PushInfo>)> {
        let (pushes, heard) = mpsc::unbounded_channel();
        let config = AsyncConnectionConfig::new()
            .set_push_sender(pushes)
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(Duration::from_secs(1)));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(CHANNEL).await?;
        Ok((connection, heard))
    }

    /// Carries by this connection until it breaks.
    async fn carry_by(
        &mut self,
        mut connection: MultiplexedConnection,
        mut pushes: mpsc::UnboundedReceiver<PushInfo>,
    ) {
        loop {
            tokio::select! {
                push = pushes.recv() => match push {
                    Some(PushInfo { kind: PushKind::Message, data }) => self.hear(&data),
                    None | Some(PushInfo { kind: PushKind::Disconnection, .. }) => return,
                    Some(_) => {}
                },
                said = self.waiting.recv() => {
                    let Some(Ok(text)) = said.map(|said| serde_json::to_string(&said)) else { return };
                    let mut publish = redis::cmd("PUBLISH");
                    if publish.arg(CHANNEL).arg(text).query_async::<u64>(&mut connection).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// What another worker says reaches everybody here.
    fn hear(&self, data: &[Value]) {
        let [_channel, Value::BulkString(text)] = data else { return };
        // Whoever may publish on this Redis may send anything.
        if let Ok(said) = serde_json::from_slice::<Said>(text)
            && said.worker != self.worker
        {
            let _heard_by = self.here.send(said);
        }
    }
}

const CHANNEL: &str = "chat:room";
const AGAIN_AFTER: Duration = Duration::from_millis(500);

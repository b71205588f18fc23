//! One WebSocket: what its owner says goes to the room and counts in the session; what the page shows goes back, each second.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde::{Deserialize, Serialize};
use squall_client::{Session, SessionError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::Worker;
use crate::room::Said;
use crate::session::{Guest, Shown};

/// What a page says.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Asked {
    /// A message.
    Say(String),
    /// Let the session live on.
    Extend,
}

/// What a page is told.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Told<'a> {
    /// How things are.
    State {
        /// `None`: nobody can say just now.
        session: Option<Shown>,
        breaker: &'static str,
        /// Sessions that wait to be brought to Redis.
        waiting: u64,
        worker: &'a str,
    },
    /// What somebody said.
    Said { from: &'a str, text: &'a str },
    /// What went wrong.
    Trouble(&'a str),
}

/// The page is gone.
struct Gone;

struct Talk {
    worker: Arc<Worker>,
    socket: WebSocket,
    id: String,
    /// As others see it.
    name: String,
}

/// Talks until one of both has enough.
pub(crate) async fn talk(worker: Arc<Worker>, socket: WebSocket, id: String) {
    let _talking = worker.talking.clone();
    let mut talk = Talk { worker, socket, id, name: "guest".to_owned() };
    let _gone = talk.go_on().await;
    // If it cannot be noted, the next message notes that somebody is there.
    let _noted = talk.worker.store.disconnect(&talk.id).await;
}

impl Talk {
    async fn go_on(&mut self) -> Result<(), Gone> {
        let mut room = self.worker.room.listen();
        let mut leaving = self.worker.leaving.clone();
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Somebody is there again; if nobody knows the session now, a later message says it.
        let _noted = self.worker.store.change(&self.id, |session| session.disconnected_unix_ms = None).await;
        loop {
            tokio::select! {
                // One that is already true, or a worker that is gone, ends it as well.
                () = left(&mut leaving) => return self.leave().await,
                _ = second.tick() => {
                    let session = self.worker.look(&self.id).await;
                    self.show(session).await?;
                }
                said = room.recv() => match said {
                    Ok(Said { from, text, .. }) => self.tell(&Told::Said { from: &from, text: &text }).await?,
                    Err(RecvError::Lagged(_)) => self.tell(&Told::Trouble("some messages were missed")).await?,
                    Err(RecvError::Closed) => return Err(Gone),
                },
                frame = self.socket.recv() => match frame {
                    Some(Ok(Message::Text(text))) => self.asked(&text).await?,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return Err(Gone),
                },
            }
        }
    }

    async fn asked(&mut self, text: &str) -> Result<(), Gone> {
        match serde_json::from_str(text) {
            Ok(Asked::Say(text)) => {
                let text = text.trim();
                if text.is_empty() || text.chars().count() > LONGEST {
                    return self.tell(&Told::Trouble("a message has 1 to 500 characters")).await;
                }
                // The connection goes on whatever becomes of the session.
                self.worker.room.say(&self.name, text);
                let counted = self.worker.count(&self.id).await;
                self.show(counted).await
            }
            Ok(Asked::Extend) => {
                let extended = self.worker.extend(&self.id).await;
                self.show(extended).await
            }
            Err(_) => self.tell(&Told::Trouble("this page is of another version: load it again")).await,
        }
    }

    async fn show(&mut self, session: Result<Session<Guest>, SessionError>) -> Result<(), Gone> {
        let session = match session {
            Ok(session) => Some(session),
            Err(SessionError::Unavailable(_)) => None,
            Err(_) => {
                self.tell(&Told::Trouble("the session did not take this: try again")).await?;
                None
            }
        };
        if let Some(name) = session.as_ref().map(|session| &session.data.name).filter(|name| !name.is_empty())
        {
            self.name.clone_from(name);
        }
        let stats = self.worker.store.client().stats();
        let worker = Arc::clone(&self.worker);
        let state = Told::State {
            session: session.map(Shown::of),
            breaker: stats.breaker.name(),
            waiting: stats.dirty,
            worker: &worker.name,
        };
        self.tell(&state).await
    }

    async fn tell(&mut self, told: &Told<'_>) -> Result<(), Gone> {
        let text = serde_json::to_string(told).map_err(|_| Gone)?;
        self.send(Message::Text(text.into())).await
    }

    /// The page comes back to whichever worker is there.
    async fn leave(&mut self) -> Result<(), Gone> {
        let frame = CloseFrame { code: SERVICE_RESTART, reason: "the worker ends".into() };
        self.send(Message::Close(Some(frame))).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        // A page that takes nothing any more is gone.
        let sent = timeout(Duration::from_secs(5), self.socket.send(message)).await;
        sent.map_err(|_| Gone)?.map_err(|_| Gone)
    }
}

/// Ends when the worker is about to.
async fn left(leaving: &mut watch::Receiver<bool>) {
    let _told = leaving.wait_for(|leaving| *leaving).await.is_ok();
}

/// The longest message, in characters.
const LONGEST: usize = 500;
/// As RFC 6455's registry has it.
const SERVICE_RESTART: u16 = 1012;

//! An instance with a flaw in it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;

use super::answers::Reply;
use super::host::Host;
use super::wrong::Wrong;
use crate::history::{Sample, SessionId, Topic};
use crate::load::Several;
use crate::subject::{BoxFuture, Hello, Instance, OperationError, Request, Said};

/// How long the client may take to end. A flaw may leave it with calls that never do, and the run must go on.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

/// A client with a flaw.
pub(super) struct Running(Arc<Inner>);

struct Inner {
    host: Arc<Host>,
    wrong: Box<dyn Wrong>,
}

impl Running {
    /// Before the client has started.
    pub(super) fn before(host: Host, wrong: Box<dyn Wrong>) -> Self {
        Self(Arc::new(Inner { host: Arc::new(host), wrong }))
    }

    /// What the client is to tell what happens in it. It does not keep the client alive.
    pub(super) fn observer(&self) -> Arc<dyn Fn(Said) + Send + Sync> {
        let inner: Weak<Inner> = Arc::downgrade(&self.0);
        Arc::new(move |said| {
            if let Some(inner) = inner.upgrade() {
                inner.host.note(said);
                inner.wrong.said(&inner.host, said);
            }
        })
    }

    /// With the client, which has started.
    pub(super) fn with(self, sound: Box<dyn Instance>, hello: &mut Hello) -> Box<dyn Instance> {
        self.0.wrong.hello(hello);
        self.0.host.started(sound, hello.key.clone());
        Box::new(self)
    }
}

impl Instance for Running {
    fn call(&self, request: Request) -> BoxFuture<'_, Reply> {
        self.0.wrong.call(&self.0.host, request)
    }

    fn call_several(&self, several: Several) -> BoxFuture<'_, Vec<Reply>> {
        self.0.wrong.call_several(&self.0.host, several)
    }

    fn key(&self, session: SessionId) -> Option<String> {
        self.0.host.sound()?.key(session)
    }

    fn sample(&self) -> Sample {
        let sample = self.0.host.sound().map(Instance::sample).unwrap_or_default();
        self.0.wrong.sample(sample)
    }

    fn tell(&self, of: Topic) -> BoxFuture<'_, Result<String, OperationError>> {
        Box::pin(async move {
            let text = match self.0.host.sound() {
                Some(sound) => sound.tell(of).await?,
                None => String::new(),
            };
            Ok(self.0.wrong.tell(&self.0.host, of, text))
        })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.0.host.end_tasks();
        Box::pin(async {
            if let Some(sound) = self.0.host.sound() {
                // Late or not, it is of no use any more.
                let _ = timeout(ENDS_WITHIN, sound.shutdown()).await;
            }
        })
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        self.0.host.end_tasks();
        match self.0.host.sound() {
            Some(sound) => sound.kill(),
            None => Box::pin(std::future::ready(())),
        }
    }

    fn broken(&self) -> BoxFuture<'_, String> {
        match self.0.host.sound() {
            Some(sound) => sound.broken(),
            None => Box::pin(std::future::pending()),
        }
    }
}

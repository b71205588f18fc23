//! What a flaw can do.

use std::sync::Arc;

use super::answers::Reply;
use super::host::Host;
use crate::history::{Sample, Topic};
use crate::load::Several;
use crate::subject::{BoxFuture, Hello, Request, Said};

/// A flaw at work in one instance. Whatever it does not change is as the client does it.
pub(super) trait Wrong: Send + Sync + 'static {
    /// Carries out an operation.
    fn call<'a>(&'a self, host: &'a Arc<Host>, mut request: Request) -> BoxFuture<'a, Reply> {
        self.ask(&mut request);
        Box::pin(async move {
            let reply = host.call(request.clone()).await;
            self.answer(host, &request, reply)
        })
    }

    /// Carries out a request on several sessions.
    fn call_several<'a>(&'a self, host: &'a Arc<Host>, several: Several) -> BoxFuture<'a, Vec<Reply>> {
        host.call_several(several)
    }

    /// Changes what the client is asked.
    fn ask(&self, _request: &mut Request) {}

    /// Changes what it answers.
    fn answer(&self, _host: &Arc<Host>, _request: &Request, reply: Reply) -> Reply {
        reply
    }

    /// Something happened in the client: says so, or something else.
    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(said);
    }

    /// Changes what it says of itself when it has started.
    fn hello(&self, _hello: &mut Hello) {}

    /// Changes what it tells of itself when asked.
    fn tell(&self, _host: &Arc<Host>, _of: Topic, text: String) -> String {
        text
    }

    /// Changes what it tells of itself.
    fn sample(&self, sample: Sample) -> Sample {
        sample
    }
}

/// What is wrong is in the settings, or on the way to Redis.
pub(super) struct Elsewhere;

impl Wrong for Elsewhere {}

//! A client in any language as a subject: a process that speaks JSON lines on stdin and stdout. `docs/protocol.md` defines
//! what is said; the modules here carry it.
//!
//! ```text
//! Instance::call -> Link::ask -> outbox -> write -> stdin   | the process,
//!      ^               ^                                    | in a group of its own
//!    reply  <-  Shared::take  <-  listen  <-  stdout        | with a guard
//! ```

mod command;
pub(crate) mod group;
pub(crate) mod lines;
mod link;
pub mod message;
pub mod reading;
mod reply;
mod shared;

use std::time::Duration;

use serde_json::value::RawValue;

use super::{
    BoxFuture, Done, Hello, Instance, OperationError, Request, Start, Started, Subject, SubjectError,
};
use crate::history::{Sample, Topic};
use crate::load::Several;
use crate::world;
use link::Link;
use message::{Op, TellReply};
use reading::object;
use shared::{Shared, Stage};

pub use command::{CommandError, CommandLine};

/// What `init` may take beside the connect timeout.
pub(crate) const INIT_SLACK: Duration = Duration::from_secs(1);

/// How long a process may take between two of its `preparing` events, and from the last to `ready`.
pub(crate) const PREPARED_WITHIN: Duration = Duration::from_secs(120);

/// The error code by which a process says, when it is to start, that it cannot do what the scenario asks for.
const UNSUPPORTED: &str = "unsupported";

/// Starts one process for each instance.
pub struct Process {
    command: CommandLine,
}

impl Process {
    /// Starts instances with `command`.
    pub fn new(command: CommandLine) -> Self {
        Self { command }
    }
}

impl Subject for Process {
    fn start(&self, start: Start) -> BoxFuture<'_, Started> {
        Box::pin(async move {
            let Some(redis) = start.route.url() else {
                return Err(SubjectError::Start(NO_SOCKETS.to_owned()));
            };
            let shared = Shared::new(start.observer, start.route.secrets());
            let link = Link::start(&self.command, shared)?;
            let instance = format!("instance-{}", start.instance);
            let variables = start.environment.map(|profile| start.route.variables(profile));
            let variables = variables.into_iter().flatten().collect();
            let init = Op::Init {
                instance: &instance,
                redis: &redis,
                ca: start.route.ca(),
                settings: &start.settings,
                environment: variables,
                through: start.through,
                encrypted: start.encryption.is_some(),
                disk: start.disk.as_deref(),
            };
            let hello = greeted(&link, init, init_within(&start.settings)).await;
            match hello {
                Ok(hello) => Ok((Box::new(Running { link }) as Box<dyn Instance>, hello)),
                Err(why) => Err(why),
            }
        })
    }

    fn unsupported(&self, world: world::Kind) -> Option<String> {
        (world == world::Kind::Sim).then(|| NO_SOCKETS.to_owned())
    }
}

/// Why a process cannot be tested in the simulated world.
pub const NO_SOCKETS: &str = "a process needs real sockets: use --world local or --world containers";

/// The password of a URL, as it stands there.
pub(crate) fn password_in(url: &str) -> Option<String> {
    let (login, _) = url.rsplit_once('@')?;
    let (_, password) = login.split_once("://")?.1.split_once(':')?;
    Some(password.to_owned()).filter(|password| !password.is_empty())
}

/// How long a subject with these settings may take for its answer to `init`.
pub(crate) fn init_within(settings: &serde_json::Value) -> Duration {
    let text = settings.get("connect_timeout").and_then(serde_json::Value::as_str);
    let connect = text.and_then(|text| humantime::parse_duration(text).ok());
    connect.unwrap_or(Duration::from_secs(1)) + INIT_SLACK
}

/// Sends `init` and waits for what the subject says of itself. Time counts from the start of the process; if that says that it
/// is preparing, from when it says that it is ready.
async fn greeted(link: &Link, init: Op<'_>, within: Duration) -> Result<Hello, SubjectError> {
    let (mut stage, mut broken) = (link.shared.stage.subscribe(), link.shared.broken.subscribe());
    let answer = link.ask(init);
    tokio::pin!(answer);
    let answer = loop {
        let (patience, missing, from) = match *stage.borrow_and_update() {
            Stage::Started => (within, "did not answer init", "of its start"),
            Stage::Ready => (within, "did not answer init", "of its event ready"),
            Stage::Preparing(_) => (PREPARED_WITHIN, "told no event ready", "of its event preparing"),
        };
        tokio::select! {
            biased;
            answer = &mut answer => break answer,
            why = first_reason(&mut broken) => return Err(SubjectError::Start(why)),
            Ok(()) = stage.changed() => {}
            () = tokio::time::sleep(patience) => {
                link.shared.break_off(&format!("it {missing} within {patience:?} {from}"));
            }
        }
    };
    let hello = match answer {
        Ok(reply) => {
            reply::hello(&reply).map_err(|why| format!("its answer to init breaks the protocol: {why}"))
        }
        Err(refusal) if refusal.code == UNSUPPORTED => {
            return Err(SubjectError::Unsupported(link.shared.without_secrets(refusal.text)));
        }
        Err(refusal) => Err(format!("it refuses init: {}", reply::refused(refusal))),
    };
    hello.map_err(|why| {
        link.shared.break_off(&why);
        SubjectError::Start(link.shared.broken.borrow().clone().unwrap_or(why))
    })
}

async fn first_reason(broken: &mut tokio::sync::watch::Receiver<Option<String>>) -> String {
    let reason = match broken.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone(),
        Err(_) => None,
    };
    match reason {
        Some(reason) => reason,
        None => std::future::pending().await,
    }
}

struct Running {
    link: Link,
}

impl Running {
    async fn perform(&self, request: Request) -> Result<Done, OperationError> {
        let kind = request.kind;
        let value = match request.value.as_deref().map(serde_json::from_slice::<Box<RawValue>>) {
            None => RawValue::NULL.to_owned(),
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(not_json(&error)),
        };
        match self.link.ask(reply::op(&request, &value)).await {
            Ok(ok) => match reply::done(kind, &ok) {
                Ok(done) => Ok(done),
                Err(why) => self.breaks(kind.name(), &why).await,
            },
            Err(refusal) => Err(reply::refused(refusal)),
        }
    }

    async fn perform_several(&self, several: Several) -> Vec<reply::Each> {
        match self.link.ask(reply::op_several(&several)).await {
            Ok(ok) => match reply::done_several(&several, &ok) {
                Ok(each) => each,
                Err(why) => self.breaks(several.what.name(), &why).await,
            },
            Err(refusal) => vec![Err(reply::refused(refusal)); several.sessions.len()],
        }
    }

    async fn told(&self, of: Topic) -> Result<String, OperationError> {
        match self.link.ask(Op::Tell { of }).await {
            Ok(ok) => match object::<TellReply>(&ok.0) {
                Ok(told) => Ok(told.text),
                Err(why) => self.breaks("tell", &why).await,
            },
            Err(refusal) => Err(reply::refused(refusal)),
        }
    }

    /// The answer is none: the run ends, and the operation never does.
    async fn breaks<T>(&self, op: &str, why: &str) -> T {
        self.link.shared.break_off(&format!("its answer to a {op} breaks the protocol: {why}"));
        std::future::pending().await
    }
}

impl Instance for Running {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Done, OperationError>> {
        Box::pin(self.perform(request))
    }

    fn call_several(&self, several: Several) -> BoxFuture<'_, Vec<reply::Each>> {
        Box::pin(self.perform_several(several))
    }

    fn sample(&self) -> Sample {
        self.link.shared.sample()
    }

    fn tell(&self, of: Topic) -> BoxFuture<'_, Result<String, OperationError>> {
        Box::pin(self.told(of))
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.link.shutdown())
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.link.kill())
    }

    fn broken(&self) -> BoxFuture<'_, String> {
        let mut broken = self.link.shared.broken.subscribe();
        Box::pin(async move { first_reason(&mut broken).await })
    }
}

fn not_json(error: &serde_json::Error) -> OperationError {
    let text = format!("the value is not JSON, which a process subject needs: {error}");
    OperationError { code: "invalid".to_owned(), definite: true, text }
}

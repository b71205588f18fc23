//! The reference client as a subject.

use std::sync::Arc;
use std::time::Duration;

use squall_client::core::breaker::State;
use squall_client::{
    Ack, Endpoint, Environment, Event, Lookup, Mode, Resync, ServedBy, SessionClient, SessionError, Settings,
};

use super::{
    BoxFuture, Credentials, Done, Hello, Instance, OperationError, Request, Route, Said, Start, Started,
    Subject, SubjectError,
};
use crate::history::{self, BreakerState, Capability, Sample, Saw};
use crate::load::{Kind, value};
use crate::scenario::Topology;

/// Starts instances of the reference client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

struct Running {
    client: SessionClient,
}

impl Subject for Reference {
    fn start(&self, start: Start) -> BoxFuture<'_, Started> {
        Box::pin(async move {
            let settings: Settings = serde_json::from_value(start.settings)
                .map_err(|error| SubjectError::Settings(error.to_string()))?;
            let key = format!("{}{{session}}", settings.key_prefix);
            let endpoint = endpoint(&start.route, &settings);
            let observer = start.observer;
            let environment = Environment {
                clock: start.clock,
                seed: start.seed,
                writer: u32::from(start.instance) + 1,
                observer: Arc::new(move |event: &Event| {
                    if let Some(said) = said(event) {
                        observer(said);
                    }
                }),
                disk: None,
                seal: None,
            };
            let client = SessionClient::start(settings, endpoint, environment)
                .map_err(|error| SubjectError::Settings(error.to_string()))?;
            let hello = Hello {
                name: concat!("squall-client ", env!("CARGO_PKG_VERSION")).to_owned(),
                key,
                can: vec![
                    Capability::Fallback,
                    Capability::Breaker,
                    Capability::Resync,
                    Capability::Ttl,
                    Capability::Samples,
                ],
                ignored: Vec::new(),
            };
            Ok((Box::new(Running { client }) as Box<dyn Instance>, hello))
        })
    }

    fn unsupported_topology(&self, _topology: Topology) -> Option<String> {
        None
    }
}

fn endpoint(route: &Route, settings: &Settings) -> Endpoint {
    let Credentials { username, password, database } = route.credentials().clone();
    let connect = route.connect(&settings.keepalive);
    Endpoint { connect, credentials: squall_client::Credentials::new(username, password), database }
}

impl Instance for Running {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Done, OperationError>> {
        Box::pin(self.perform(request))
    }

    fn sample(&self) -> Sample {
        let stats = self.client.stats();
        Sample {
            local_bytes: Some(stats.local_bytes),
            local_sessions: Some(stats.local_sessions),
            dirty: Some(stats.dirty),
            ..Sample::default()
        }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.client.shutdown())
    }
}

impl Running {
    async fn perform(&self, request: Request) -> Result<Done, OperationError> {
        let id = request.session.to_string();
        let value = request.value.unwrap_or_default();
        let ttl = Duration::from_millis(request.ttl_ms.unwrap_or_default());
        let written = |ack: Ack| Done { served_by: side(ack.served_by), saw: Saw::Done };
        match request.kind {
            Kind::Create => self.client.create(&id, value, ttl).await.map(written).map_err(told),
            Kind::Update => self.client.update(&id, value).await.map(written).map_err(told),
            Kind::Touch => self.client.touch(&id, ttl).await.map(written).map_err(told),
            Kind::Destroy => self.client.destroy(&id).await.map(written).map_err(told),
            Kind::Get => looked_up(self.client.get(&id).await, |found| match found {
                Some(found) => Saw::Value(Some(value::seen(&found.value))),
                None => Saw::Value(None),
            }),
            Kind::Ttl => looked_up(self.client.get(&id).await, |found| {
                Saw::Ttl(found.map(|found| u64::try_from(found.ttl.as_millis()).unwrap_or(u64::MAX)))
            }),
        }
    }
}

fn looked_up(
    lookup: Result<Lookup, SessionError>,
    saw: impl Fn(Option<squall_client::Found>) -> Saw,
) -> Result<Done, OperationError> {
    match lookup.map_err(told)? {
        Lookup::Found { session, served_by } => {
            Ok(Done { served_by: side(served_by), saw: saw(Some(session)) })
        }
        Lookup::Absent { served_by } => Ok(Done { served_by: side(served_by), saw: saw(None) }),
        Lookup::Unknown { because } => Err(told(SessionError::Unavailable(because))),
    }
}

fn told(error: SessionError) -> OperationError {
    OperationError { code: error.code().to_owned(), definite: error.definite(), text: error.to_string() }
}

fn side(served_by: ServedBy) -> history::ServedBy {
    match served_by {
        ServedBy::Redis => history::ServedBy::Redis,
        ServedBy::Local => history::ServedBy::Local,
    }
}

fn said(event: &Event) -> Option<Said> {
    match event {
        Event::Breaker { from, to, .. } => Some(Said::Breaker { from: state(*from), to: state(*to) }),
        Event::Mode { to: Mode::Redis, .. } => Some(Said::Mode(history::Mode::Redis)),
        Event::Mode { to: Mode::Local, .. } => Some(Said::Mode(history::Mode::Local)),
        Event::Resync { what, .. } => Some(Said::Resync(match *what {
            Resync::Started { sessions } => history::Resync::Started { sessions },
            Resync::Finished { sessions } => history::Resync::Finished { sessions },
            Resync::Interrupted { sessions, .. } => history::Resync::Interrupted { sessions },
        })),
        // The protocol knows one breaker an instance.
        Event::ClassBreaker { .. } => None,
        Event::Operation { .. } | Event::Failed { .. } => None,
        Event::Slow { .. } | Event::Corrupt { .. } | Event::Disk { .. } => None,
    }
}

fn state(state: State) -> BreakerState {
    match state {
        State::Closed => BreakerState::Closed,
        State::Open => BreakerState::Open,
        State::HalfOpen => BreakerState::HalfOpen,
    }
}

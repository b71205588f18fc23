//! The reference client as a subject, through any of its interfaces.

mod answers;
mod backups;
mod cache;
mod census;
mod heard;
mod http;
mod interface;
mod kept;
mod refusals;
mod sessions;
mod sharded;
mod store;

use std::path::Path;
use std::sync::Arc;

use squall_client::core::breaker::State;
use squall_client::{
    Cache, Endpoint, Environment, Event, Mode, Profile, Resync, Seal, SessionClient, Settings, TlsOptions,
};
use tokio::time::timeout;

pub(super) use self::backups::Backups;
pub(super) use self::census::Census;
use self::interface::Interface;
pub(super) use self::refusals::refusals;
use super::operators::Operators;
use super::{
    BoxFuture, Done, Hello, Instance, OperationError, Request, Route, Said, Start, Started, Subject,
    SubjectError,
};
use crate::history::{self, BreakerState, Capability, Sample, Topic};
use crate::load::{Several, Through};
use crate::scenario::Topology;

/// Starts instances of the reference client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

struct Running {
    client: SessionClient,
    operators: Operators,
    interface: Box<dyn Interface>,
}

impl Subject for Reference {
    fn start(&self, start: Start) -> BoxFuture<'_, Started> {
        Box::pin(async move {
            let settings: Settings = serde_json::from_value(start.settings.clone())
                .map_err(|error| SubjectError::Settings(error.to_string()))?;
            let endpoint = endpoint(&start, &settings)?;
            if let Route::Cluster { .. } = start.route {
                return sharded::start(&start, &settings, &endpoint);
            }
            // Every interface keeps a session under the same key.
            let key = format!("{}{{session}}", settings.key_prefix);
            let observer = start.observer;
            let operators = Operators::new(start.clock.clone());
            let seen = operators.observer();
            let environment = Environment {
                clock: start.clock,
                seed: start.seed,
                writer: u32::from(start.instance) + 1,
                observer: Arc::new(move |event: &Event| {
                    seen(event);
                    heard::note(event);
                    if let Some(said) = said(event) {
                        observer(said);
                    }
                }),
                disk: start.disk.as_ref().map(|folder| folder.join("sessions")),
                seal: start.encryption.map(|key| Seal::new(1, &key)),
            };
            let client = SessionClient::start(settings, endpoint, environment)
                .map_err(|error| SubjectError::Settings(error.to_string()))?;
            let interface = interface(start.through, client.clone())?;
            let hello = Hello {
                name: concat!("squall-client ", env!("CARGO_PKG_VERSION")).to_owned(),
                key,
                can: [
                    Capability::Fallback,
                    Capability::Breaker,
                    Capability::Resync,
                    Capability::Ttl,
                    Capability::Samples,
                    Capability::Metrics,
                    Capability::Log,
                    Capability::Health,
                    Capability::Settings,
                    Capability::Sessions,
                    Capability::Backup,
                    Capability::Refusals,
                    Capability::Store,
                    Capability::Cache,
                    Capability::Http,
                    Capability::ReadMany,
                    Capability::Clear,
                    Capability::Encryption,
                    Capability::Environment,
                ]
                .into_iter()
                .chain(start.disk.map(|_| Capability::Durable))
                .collect(),
                ignored: Vec::new(),
            };
            Ok((Box::new(Running { client, operators, interface }) as Box<dyn Instance>, hello))
        })
    }

    fn unsupported_topology(&self, _topology: Topology) -> Option<String> {
        None
    }
}

fn interface(through: Through, client: SessionClient) -> Result<Box<dyn Interface>, SubjectError> {
    Ok(match through {
        Through::Sessions => Box::new(client),
        Through::Store => Box::new(store::Store::over(client)),
        Through::Cache => Box::new(Cache::over(client)),
        Through::Http => Box::new(http::Http::over(client)?),
    })
}

fn endpoint(start: &Start, settings: &Settings) -> Result<Endpoint, SubjectError> {
    let route = &start.route;
    if let Some(profile) = start.environment {
        return by_variables(route, profile);
    }
    let connect = route.connect(&settings.keepalive)?;
    let credentials = route.credentials();
    Ok(Endpoint { connect, credentials: credentials.of_the_client(), database: credentials.database })
}

/// The endpoint that the variables of a profile say. In virtual time there are no hosts: there they say as whom to speak to which
/// database.
fn by_variables(route: &Route, profile: Profile) -> Result<Endpoint, SubjectError> {
    let variables = route.variables(profile);
    let value_of =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let tls = TlsOptions { ca_file: route.ca().map(Path::to_owned), ..TlsOptions::default() };
    let configured = profile.configured(value_of, &tls);
    let mut endpoint = configured.map_err(|error| SubjectError::Settings(error.to_string()))?.endpoint;
    if let Route::Streams { connect, .. } = route {
        endpoint.connect = Arc::clone(connect);
    }
    Ok(endpoint)
}

impl Instance for Running {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Done, OperationError>> {
        self.interface.perform(request)
    }

    fn call_several(&self, several: Several) -> BoxFuture<'_, Vec<Result<Done, OperationError>>> {
        Box::pin(async move {
            let (sessions, limit) = (several.sessions.len(), self.client.settings().deadline);
            // The client's own deadline is for each session. A caller wants an end.
            timeout(limit, self.interface.perform_several(several)).await.unwrap_or_else(|_| {
                let text = "not all sessions had their turn in time".to_owned();
                vec![Err(OperationError { code: "deadline".to_owned(), definite: false, text }); sessions]
            })
        })
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

    fn tell(&self, of: Topic) -> BoxFuture<'_, Result<String, OperationError>> {
        Box::pin(async move { Ok(self.operators.tell(&self.client, of).await) })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.client.shutdown())
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
        Event::Slow { .. } | Event::Corrupt { .. } | Event::Disk { .. } | Event::Session { .. } => None,
    }
}

fn state(state: State) -> BreakerState {
    match state {
        State::Closed => BreakerState::Closed,
        State::Open => BreakerState::Open,
        State::HalfOpen => BreakerState::HalfOpen,
    }
}

//! The routes over HTTP, asked without a socket. What they do not offer, a service does itself: it creates and updates sessions
//! through the store that the routes stand on.
//!
//! Every request is sent without the token first, and must be refused: who shows none changes nothing and learns nothing,
//! whatever happens to Redis.

mod asked;
mod told;

use std::time::Duration;

use axum::Router;
use axum::http::Method;
use squall_client::SessionClient;
use squall_client::http::{self, Access, Token};

use self::asked::{Answer, TOKEN, ask};
use self::told::{Seen, broken, problem, taken};
use super::answers::{done, left};
use super::heard::{by_whom, listening};
use super::interface::{Asked, Interface, Reply};
use super::store::Store;
use crate::history::Saw;
use crate::load::Kind;
use crate::subject::{BoxFuture, Done, OperationError, Request, SubjectError};

/// The routes of a client, and the store that they stand on.
pub(super) struct Http {
    store: Store,
    routes: Router,
}

impl Http {
    /// Those of `client`, for who shows the token.
    pub(super) fn over(client: SessionClient) -> Result<Self, SubjectError> {
        let store = Store::over(client);
        let token = Token::new(TOKEN).map_err(|error| SubjectError::Start(error.to_string()))?;
        let routes = http::router(store.0.clone(), Access::bearer([token])).show_data().build();
        Ok(Self { store, routes })
    }

    async fn carry_out(&self, asked: Asked) -> Reply {
        let path = format!("/api/sessions/{}/", asked.id);
        match asked.kind {
            Kind::Create | Kind::Update => self.store.carry_out(asked).await,
            Kind::Touch => {
                taken(self.ask(Method::POST, &format!("{path}extend/"), &extension(asked.ttl)).await?)
            }
            Kind::Destroy => taken(self.ask(Method::DELETE, &format!("{path}delete/"), "").await?),
            Kind::Get => {
                self.read(&format!("{path}?data=true"), |seen| Saw::Value(seen.map(Seen::value))).await
            }
            Kind::Ttl => self.read(&path, |seen| left(seen.and_then(Seen::left))).await,
        }
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> Result<Answer, OperationError> {
        let refused = ask(&self.routes, &method, path, body, false).await?;
        if refused.status != 401 {
            return Err(broken(&refused, "who shows no token must be refused"));
        }
        ask(&self.routes, &method, path, body, true).await
    }

    async fn read(&self, path: &str, saw: impl FnOnce(Option<Seen>) -> Saw) -> Reply {
        let (answer, ended) = listening(self.ask(Method::GET, path, "")).await;
        let answer = answer?;
        match answer.status {
            200 => {
                let seen = Seen::of(&answer)?;
                Ok(Done { served_by: seen.served_by, saw: saw(Some(seen)) })
            }
            // This answer does not say who gave it.
            404 if answer.kind() == "no-session" => Ok(done(by_whom(ended)?, saw(None))),
            _ => Err(problem(&answer)),
        }
    }
}

impl Interface for Http {
    fn perform(&self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(self.carry_out(request.into()))
    }
}

fn extension(ttl: Duration) -> String {
    serde_json::json!({ "ttl_seconds": ttl.as_secs_f64() }).to_string()
}

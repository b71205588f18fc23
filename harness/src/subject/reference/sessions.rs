//! Sessions as values with a TTL: the client itself.

use squall_client::SessionClient;

use super::answers::{cleared, left, looked_up, told, written};
use super::interface::{Asked, Interface, Reply, not_offered};
use crate::history::Saw;
use crate::load::{Kind, Many, Several, value};
use crate::subject::{BoxFuture, Request};

/// The pattern that every session fits.
pub(super) const ALL: &str = "*";

impl Interface for SessionClient {
    fn perform(&self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(perform(self, request.into()))
    }

    fn perform_several(&self, several: Several) -> BoxFuture<'_, Vec<Reply>> {
        let Several { what, sessions } = several;
        Box::pin(async move {
            match what {
                Many::Clear => cleared(self.clear(ALL).await, sessions.len()),
                Many::Read => vec![Err(not_offered(what.name(), "the session client")); sessions.len()],
            }
        })
    }
}

async fn perform(client: &SessionClient, asked: Asked) -> Reply {
    let Asked { kind, id, value, ttl, .. } = asked;
    match kind {
        Kind::Create => client.create(&id, value, ttl).await.map(written).map_err(told),
        Kind::Update => client.update(&id, value).await.map(written).map_err(told),
        Kind::Touch => client.touch(&id, ttl).await.map(written).map_err(told),
        Kind::Destroy => client.destroy(&id).await.map(written).map_err(told),
        Kind::Get => {
            looked_up(client.get(&id).await, |found| Saw::Value(found.map(|found| value::seen(&found.value))))
        }
        Kind::Ttl => looked_up(client.ttl(&id).await, left),
    }
}

//! The cache: values under keys. It has no update and no touch, for `set` gives value and TTL.

use bytes::Bytes;
use squall_client::Cache;

use super::answers::{cleared, done, left, looked_up, told, written};
use super::heard::{by_whom, listening};
use super::interface::{Asked, Interface, Reply, not_offered};
use super::sessions::ALL;
use crate::history::{Saw, SessionId};
use crate::load::{Kind, Many, Several, value};
use crate::subject::{BoxFuture, Request};

impl Interface for Cache {
    fn perform(&self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(perform(self, request.into()))
    }

    fn perform_several(&self, several: Several) -> BoxFuture<'_, Vec<Reply>> {
        let Several { what, sessions } = several;
        Box::pin(async move {
            match what {
                Many::Clear => cleared(self.clear(ALL).await, sessions.len()),
                Many::Read => read(self, &sessions).await,
            }
        })
    }
}

async fn perform(cache: &Cache, asked: Asked) -> Reply {
    let Asked { kind, id, value, ttl, .. } = asked;
    match kind {
        Kind::Create => cache.set(&id, value, ttl).await.map(written).map_err(told),
        Kind::Destroy => cache.delete(&id).await.map(written).map_err(told),
        Kind::Get => {
            let (found, ended) = listening(cache.get(&id)).await;
            let found = found.map_err(told)?;
            Ok(done(by_whom(ended)?, Saw::Value(found.map(|value| value::seen(&value)))))
        }
        Kind::Ttl => {
            let (found, ended) = listening(cache.ttl(&id)).await;
            let found = found.map_err(told)?;
            Ok(done(by_whom(ended)?, left(found)))
        }
        Kind::Update | Kind::Touch => Err(not_offered(kind.name(), "a cache")),
    }
}

async fn read(cache: &Cache, sessions: &[SessionId]) -> Vec<Reply> {
    let keys: Vec<String> = sessions.iter().map(ToString::to_string).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let saw = |found: Option<Bytes>| Saw::Value(found.map(|value| value::seen(&value)));
    cache.look_up_many(&keys).await.into_iter().map(|lookup| looked_up(lookup, saw)).collect()
}

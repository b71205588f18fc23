//! The cache: values under keys. It has no update and no touch, for `set` gives value and TTL.

use std::time::Duration;

use bytes::Bytes;
use squall_client::{Cache, LoadError};

use super::answers::{cleared, done, left, looked_up, told, written};
use super::heard::{by_whom, listening};
use super::interface::{Asked, Interface, Reply, not_offered};
use super::sessions::ALL;
use crate::history::{Saw, SessionId};
use crate::load::{Kind, Many, Several, value};
use crate::subject::{BoxFuture, OperationError, Request};

impl Interface for Cache {
    fn perform(&self, request: Request) -> BoxFuture<'_, Reply> {
        let session = request.session;
        if request.kind == Kind::Get && !session.0.is_multiple_of(2) {
            return Box::pin(get_or_set(self, session));
        }
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

/// Reads a value that nobody can load: what is not in the cache is not there.
async fn get_or_set(cache: &Cache, session: SessionId) -> Reply {
    let load = async { Err("nobody can load it".into()) };
    // It listens to the first look alone. One that finds nothing is followed by another, and what that finds is from Redis too:
    // nothing comes into memory but by operations on this session, of which this is one.
    let (found, ended) = listening(cache.get_or_set(&session.to_string(), A_MINUTE, load)).await;
    let found = match found {
        Ok(value) => Some(value::seen(&value)),
        Err(LoadError::Load(_)) => None,
        Err(LoadError::Cache(error)) => return Err(told(error)),
        Err(error @ LoadError::Gone) => {
            let (code, text) = ("internal".to_owned(), error.to_string());
            return Err(OperationError { code, definite: false, text });
        }
    };
    Ok(done(by_whom(ended)?, Saw::Value(found)))
}

/// How long a value that was loaded would live.
const A_MINUTE: Duration = Duration::from_secs(60);

async fn read(cache: &Cache, sessions: &[SessionId]) -> Vec<Reply> {
    let keys: Vec<String> = sessions.iter().map(ToString::to_string).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let saw = |found: Option<Bytes>| Saw::Value(found.map(|value| value::seen(&value)));
    cache.look_up_many(&keys).await.into_iter().map(|lookup| looked_up(lookup, saw)).collect()
}

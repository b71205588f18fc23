//! The cache: values under keys. It has no update and no touch, for `set` gives value and TTL.

use squall_client::Cache;

use super::answers::{done, left, told, written};
use super::heard::{by_whom, listening};
use super::interface::{Asked, Interface, Reply, not_offered};
use crate::history::Saw;
use crate::load::{Kind, value};
use crate::subject::{BoxFuture, Request};

impl Interface for Cache {
    fn perform(&self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(perform(self, request.into()))
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
        Kind::Update | Kind::Touch => Err(not_offered(kind, "a cache")),
    }
}

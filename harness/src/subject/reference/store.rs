//! The store: sessions with data and metadata. An update is a message: it counts.

use squall_client::{SessionClient, SessionError, SessionStore};

use super::answers::{done, left, looked_up, told, written};
use super::interface::{Asked, Interface, Reply};
use super::kept::Kept;
use crate::history::Saw;
use crate::load::{Kind, Several};
use crate::subject::{BoxFuture, OperationError, Request};

/// The store of a client's sessions.
pub(super) struct Store(pub(super) SessionStore<Kept>);

impl Store {
    /// Those of `client`.
    pub(super) fn over(client: SessionClient) -> Self {
        Self(SessionStore::over(client))
    }

    /// Carries out an operation.
    pub(super) async fn carry_out(&self, asked: Asked) -> Reply {
        let (store, id) = (&self.0, asked.id.as_str());
        match asked.kind {
            Kind::Create => {
                let kept = kept(&asked)?;
                store.create(id, Some(&asked.user), &kept, asked.ttl).await.map(written).map_err(told)
            }
            Kind::Update => {
                let kept = kept(&asked)?;
                let changed = store.change(id, |session| kept.put(session)).await.map_err(told)?;
                Ok(done(changed.served_by, Saw::Done))
            }
            Kind::Touch => store.extend(id, asked.ttl).await.map(written).map_err(told),
            Kind::Destroy => store.destroy(id).await.map(written).map_err(told),
            Kind::Get => looked_up(store.get(id).await, |found| {
                Saw::Value(found.map(|session| session.data.seen(session.messages, session.sequence)))
            }),
            Kind::Ttl => looked_up(store.get(id).await, |found| left(found.map(|session| session.ttl))),
        }
    }
}

impl Interface for Store {
    fn perform(&self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(self.carry_out(request.into()))
    }

    /// What the client below has, the store has.
    fn perform_several(&self, several: Several) -> BoxFuture<'_, Vec<Reply>> {
        self.0.client().perform_several(several)
    }
}

fn kept(asked: &Asked) -> Result<Kept, OperationError> {
    Kept::first(&asked.value).ok_or_else(|| told(SessionError::Invalid("the value is none of a load")))
}

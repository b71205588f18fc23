//! Sessions with data of your own type, and with what a service wants to know about them: when they were created and last used,
//! when their client went away, how many messages there were, and whose they are.
//!
//! Two instances that change one session at the same moment write one after the other, and the later one stands. Within one
//! instance changes of one session wait for each other.

mod aside;
mod line;
mod payload;
mod session;
mod users;

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};

use crate::answer::{Ack, Found, Lookup, ServedBy, SessionError};
use crate::client::SessionClient;
use crate::core::time::Time;
use crate::error::CallError;
use crate::event::SessionLine;
use crate::limits;
use crate::seal::SealError;
use crate::task::AbortOnDrop;
use payload::{About, NotOurs};
use users::Missing;

pub use session::Session;
pub use users::Statistics;

/// Sessions whose data are `T`. Clones share everything.
pub struct SessionStore<T> {
    client: SessionClient,
    changing: Arc<[Mutex<()>]>,
    missing: Arc<Missing>,
    /// Keeps the index of users whole.
    sweeping: Arc<AbortOnDrop>,
    data: PhantomData<fn() -> T>,
}

impl<T> Clone for SessionStore<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            changing: Arc::clone(&self.changing),
            missing: Arc::clone(&self.missing),
            sweeping: Arc::clone(&self.sweeping),
            data: PhantomData,
        }
    }
}

/// How a session was [opened](SessionStore::open).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It was there.
    Found,
    /// There was none.
    New,
    /// What was there is damaged, or of another form. It is kept aside for a week, under the session's key with `aside`, and the
    /// session begins anew. A value that lacks its key here, or is not encrypted, is not damaged: that is an error, and the
    /// session stays.
    Reset,
}

impl<T: Serialize + DeserializeOwned> SessionStore<T> {
    /// Sessions of `client`.
    pub fn over(client: SessionClient) -> Self {
        let changing = (0..LOCKS).map(|_| Mutex::new(())).collect();
        let missing = Arc::<Missing>::default();
        let sweep = users::sweep(Arc::downgrade(client.store()), Arc::clone(&missing));
        let sweeping = Arc::new(AbortOnDrop(client.store().runtime.spawn(sweep).abort_handle()));
        Self { client, changing, missing, sweeping, data: PhantomData }
    }

    /// The client below.
    pub fn client(&self) -> &SessionClient {
        &self.client
    }

    /// Makes a session that lives for `ttl`; one that exists is replaced.
    ///
    /// # Errors
    ///
    /// As [`SessionClient::create`], and when the data cannot be written.
    pub async fn create(
        &self,
        id: &str,
        user: Option<&str>,
        data: &T,
        ttl: Duration,
    ) -> Result<Ack, SessionError> {
        let (_, ack) = self.create_new(id, user, data, ttl, self.end()).await?;
        Ok(ack)
    }

    /// Reads a session, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`SessionClient::get`]; [`SessionError::Corrupt`] when its value is of another form.
    pub async fn get(&self, id: &str) -> Result<Lookup<Session<T>>, SessionError> {
        let lookup = self.get_by(id, self.end()).await?;
        if let Lookup::Found { session, .. } = &lookup {
            self.tell(session.line(line::LOADED));
        }
        Ok(lookup)
    }

    async fn get_by(&self, id: &str, end: Time) -> Result<Lookup<Session<T>>, SessionError> {
        Ok(match self.client.get_by(id, end).await? {
            Lookup::Found { session, served_by } => {
                Lookup::Found { session: read(id, session, served_by)?, served_by }
            }
            Lookup::Absent { served_by } => Lookup::Absent { served_by },
            Lookup::Unknown { because } => Lookup::Unknown { because },
        })
    }

    /// Reads a session, and notes that it was used just now. Its TTL goes on.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub async fn access(&self, id: &str) -> Result<Session<T>, SessionError> {
        self.change(id, |_| ()).await
    }

    /// Changes a session; it counts as used, and its TTL goes on.
    ///
    /// # Errors
    ///
    /// [`SessionError::NoSession`] when there is none, [`SessionError::Unavailable`] when nobody can say, `Call(TooLate)` when
    /// others changed it for as long as an operation may take, and as [`SessionClient::update`].
    pub async fn change(
        &self,
        id: &str,
        change: impl FnOnce(&mut Session<T>),
    ) -> Result<Session<T>, SessionError> {
        let end = self.end();
        let _alone = self.alone(id, end).await?;
        self.change_alone(id, change, end).await
    }

    /// One message more, in this session: it counts, takes the next number, and notes that the client is there.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub async fn message(&self, id: &str) -> Result<Session<T>, SessionError> {
        self.change(id, |session| {
            session.messages = session.messages.saturating_add(1);
            session.sequence = session.sequence.saturating_add(1);
            session.disconnected_unix_ms = None;
        })
        .await
    }

    /// Notes that the session's client went away.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub async fn disconnect(&self, id: &str) -> Result<Session<T>, SessionError> {
        let now = self.client.unix_ms();
        self.change(id, |session| session.disconnected_unix_ms = Some(now)).await
    }

    /// Lets a session live for `ttl` from now on.
    ///
    /// # Errors
    ///
    /// As [`SessionClient::touch`].
    pub async fn extend(&self, id: &str, ttl: Duration) -> Result<Ack, SessionError> {
        let end = self.end();
        let ack = self.client.touch_by(id, ttl, end).await?;
        self.tell(line::plain(line::EXTENDED, Some(ttl), ack));
        if let Some((about, _)) = users::known(self.client.store(), id) {
            self.index(about.user.as_deref(), id, ack, end).await;
        }
        Ok(ack)
    }

    /// Ends a session. It is fine if there is none.
    ///
    /// # Errors
    ///
    /// As [`SessionClient::destroy`].
    pub async fn destroy(&self, id: &str) -> Result<Ack, SessionError> {
        // The index is not told: it is never trusted, and forgets with time.
        let ack = self.client.destroy(id).await?;
        self.tell(line::plain(line::DELETED, None, ack));
        Ok(ack)
    }

    /// The session, or a new one that lives for `ttl`. One that is damaged is kept aside and begins anew.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unavailable`] when nobody can say whether there is one, [`SessionError::Sealed`] when its value lacks its key
    /// here or is not encrypted, and as [`create`](Self::create).
    pub async fn open(
        &self,
        id: &str,
        user: Option<&str>,
        ttl: Duration,
    ) -> Result<(Session<T>, Opened), SessionError>
    where
        T: Default,
    {
        let end = self.end();
        let _alone = self.alone(id, end).await?;
        let opened = match self.get_by(id, end).await {
            Ok(Lookup::Found { session, .. }) => {
                self.tell(session.line(line::LOADED));
                return Ok((session, Opened::Found));
            }
            Ok(Lookup::Absent { .. }) => Opened::New,
            Ok(Lookup::Unknown { because }) => return Err(SessionError::Unavailable(because)),
            Err(SessionError::Corrupt(_) | SessionError::Sealed(SealError::Broken(_))) => {
                aside::keep(self.client.store(), id, end).await;
                Opened::Reset
            }
            Err(error) => return Err(error),
        };
        let data = T::default();
        let (about, ack) = self.create_new(id, user, &data, ttl, end).await?;
        Ok((Session::new(id, about, data, ttl, ack.served_by), opened))
    }

    async fn create_new(
        &self,
        id: &str,
        user: Option<&str>,
        data: &T,
        ttl: Duration,
        end: Time,
    ) -> Result<(About, Ack), SessionError> {
        user.map_or(Ok(()), limits::user)?;
        let about =
            About { created: self.client.unix_ms(), user: user.map(str::to_owned), ..About::default() };
        let ack = self.client.create_by(id, value(&about, data)?, ttl, end).await?;
        self.tell(line::new(ttl, ack.served_by));
        self.index(user, id, ack, end).await;
        Ok((about, ack))
    }

    async fn change_alone(
        &self,
        id: &str,
        change: impl FnOnce(&mut Session<T>),
        end: Time,
    ) -> Result<Session<T>, SessionError> {
        let mut session = match self.get_by(id, end).await? {
            Lookup::Found { session, .. } => session,
            Lookup::Absent { .. } => return Err(SessionError::NoSession),
            Lookup::Unknown { because } => return Err(SessionError::Unavailable(because)),
        };
        let user = session.user.clone();
        session.last_activity_unix_ms = self.client.unix_ms();
        change(&mut session);
        session.user.as_deref().map_or(Ok(()), limits::user)?;
        let ack = self.client.update_by(id, value(&session.about(), &session.data)?, end).await?;
        session.served_by = ack.served_by;
        self.tell(session.line(line::STORED));
        if session.user != user {
            self.index(session.user.as_deref(), id, ack, end).await;
        }
        Ok(session)
    }

    fn tell(&self, line: SessionLine) {
        line::tell(self.client.store(), line);
    }

    /// When an operation that begins now must be over, with all its parts.
    fn end(&self) -> Time {
        self.client.store().deadline()
    }

    /// Waits until nobody else changes the session, until `end` at most.
    async fn alone(&self, id: &str, end: Time) -> Result<MutexGuard<'_, ()>, SessionError> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
        let changing = &self.changing[usize::try_from(hash % LOCKS).unwrap_or(0)];
        let end = self.client.store().clock.instant(end);
        let waited = tokio::time::timeout_at(end, changing.lock()).await;
        waited.map_err(|_| SessionError::Call(CallError::TooLate))
    }

    /// Notes whose session it is. What does not get there, the sweep brings.
    async fn index(&self, user: Option<&str>, id: &str, ack: Ack, end: Time) {
        let store = self.client.store();
        if let (Some(user), Some((_, expires))) = (user, users::known(store, id)) {
            let noted = ack.served_by == ServedBy::Redis && users::index(store, user, id, expires, end).await;
            if !noted {
                self.missing.add(id);
            }
        }
    }
}

fn value<T: Serialize>(about: &About, data: &T) -> Result<Bytes, SessionError> {
    let bytes = payload::encode(about, data);
    bytes.map(Bytes::from).map_err(|NotOurs| SessionError::Invalid("the data cannot be written as postcard"))
}

fn read<T: DeserializeOwned>(
    id: &str,
    found: Found,
    served_by: ServedBy,
) -> Result<Session<T>, SessionError> {
    let (about, data) = payload::decode(&found.value).map_err(|NotOurs| {
        SessionError::Corrupt(
            "the session has data of another type, so read it as that type, or create it anew",
        )
    })?;
    Ok(Session::new(id, about, data, found.ttl, served_by))
}

/// So many sessions can be changed at once, as chance will have it.
const LOCKS: u64 = 256;

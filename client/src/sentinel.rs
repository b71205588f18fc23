//! Redis Sentinel: who the primary is, asked anew for every connection.
//!
//! Every sentinel is asked at once, and what most of those say that answer in time counts: one that was cut off, and still names
//! the old primary, is outvoted. Where it is not, the handshake finds out that the server is a replica, and the next connection
//! asks again. So nothing needs to be told of a failover, and a name that was looked up once is never believed for long: one
//! sentinel is asked every second whether it still holds, all of them where it may not.

mod votes;
mod why;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::address::Host;
use crate::connect::{Answering, Asking, Connect, Connecting, Leading};
use crate::connect_to::ConnectTo;
use crate::endpoint::Credentials;
use crate::error::CallError;
use crate::watched::{Seen, Watched};
use votes::Votes;
pub(crate) use why::NoPrimary;
use why::Why;

/// How long the sentinels are waited for at most, however long a connection may take to open.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Opens streams to whichever server the sentinels name as primary.
#[derive(Clone)]
pub struct Sentinel {
    sentinels: BTreeSet<Host>,
    name: String,
    credentials: Credentials,
    connect_to: Arc<ConnectTo>,
    /// How often they were asked.
    asked: Arc<AtomicUsize>,
}

/// What sentinels have said.
enum Vote {
    /// Most of them name this server, whatever the others say.
    Sure(Host),
    /// So they voted, and so others failed.
    Open(Votes, BTreeSet<Why>),
}

impl Sentinel {
    /// The primary that these sentinels know by `name`. They, and it, are reached by `connect_to`, such as
    /// [`connect_to::tcp`](crate::connect_to::tcp).
    pub fn new(sentinels: Vec<(String, u16)>, name: impl Into<String>, connect_to: Arc<ConnectTo>) -> Self {
        Self {
            // One that is listed twice has one voice.
            sentinels: sentinels.into_iter().collect(),
            name: name.into(),
            credentials: Credentials::default(),
            connect_to,
            asked: Arc::default(),
        }
    }

    /// The same, where the sentinels want a login of their own. That of the primary is the endpoint's.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// Where the primary is, as most of the sentinels say that answer within this time.
    async fn primary(&self, within: Duration) -> Result<Host, NoPrimary> {
        let (votes, failed) = match self.vote(within).await {
            Vote::Sure(address) => return Ok(address),
            Vote::Open(votes, failed) => (votes, failed),
        };
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        votes.most(turn).ok_or_else(|| NoPrimary::new(&self.name, self.sentinels.len(), failed))
    }

    /// What the sentinels say that answer within this time.
    async fn vote(&self, within: Duration) -> Vote {
        let mut asked = JoinSet::new();
        for address in &self.sentinels {
            let (sentinel, address) = (self.clone(), address.clone());
            asked.spawn(async move { sentinel.ask(&address, within).await });
        }
        let (mut votes, mut failed) = (Votes::default(), BTreeSet::new());
        while let Some(answer) = asked.join_next().await {
            match answer.unwrap_or(Err(Why::Ended)) {
                Ok(address) => {
                    let count = votes.cast(&address);
                    // The others cannot outvote it any more.
                    if count * 2 > self.sentinels.len() {
                        return Vote::Sure(address);
                    }
                }
                Err(why) => {
                    failed.insert(why);
                }
            }
        }
        Vote::Open(votes, failed)
    }

    /// The sentinel whose turn it is, if there are any.
    fn next(&self) -> Option<&Host> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        self.sentinels.iter().nth(turn % self.sentinels.len().max(1))
    }

    /// What one sentinel says.
    async fn ask(&self, (host, port): &Host, within: Duration) -> Result<Host, Why> {
        let connect = (self.connect_to)(host, *port).map_err(|error| Why::from(CallError::from(error)))?;
        let answer = timeout(within, self.ask_by(&*connect)).await;
        answer.unwrap_or_else(|_| Err(Why::Connect(connect.stalled().to_owned())))
    }

    async fn ask_by(&self, connect: &dyn Connect) -> Result<Host, Why> {
        let stream = connect.connect().await.map_err(|error| Why::from(CallError::from(error)))?;
        let stream = Watched::new(stream, &Arc::new(Seen::of_guide()));
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        // The caller bounds the whole.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let made = MultiplexedConnection::new_with_config(&info, stream, config).await;
        let (mut connection, driver) = made.map_err(|error| Why::of(&error, connect))?;
        let asked = async {
            if let Some(login) = self.credentials.auth() {
                login.query_async::<()>(&mut connection).await?;
            }
            let mut ask = redis::cmd("SENTINEL");
            ask.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
            ask.query_async::<Option<Host>>(&mut connection).await
        };
        // Not a task of its own: it ends with the question, however that ends. Once it has, the answer is there, or an error.
        let driven = async {
            driver.await;
            std::future::pending::<()>().await;
        };
        let answer = tokio::select! { answer = asked => answer, () = driven => return Err(Why::Ended) };
        answer.map_err(|error| Why::of(&error, connect))?.ok_or(Why::Unknown)
    }
}

impl Connect for Sentinel {
    fn connect(&self) -> Connecting<'_> {
        self.connect_within(ANSWER_WITHIN * 2)
    }

    fn connect_within(&self, limit: Duration) -> Connecting<'_> {
        Box::pin(async move { Ok(self.connect_for("", limit).await?.0) })
    }

    /// The sentinels get half of the time at most: what is left is for the primary.
    fn connect_for<'a>(&'a self, _: &'a str, limit: Duration) -> Leading<'a> {
        Box::pin(async move {
            let primary = self.primary(ANSWER_WITHIN.min(limit / 2)).await;
            let (host, port) = primary.map_err(io::Error::other)?;
            let stream = (self.connect_to)(&host, port)?.connect().await?;
            Ok((stream, Some((host, port))))
        })
    }

    /// It is another one that more than half of all the sentinels name: one that is wrong moves nobody.
    fn replaced<'a>(&'a self, server: &'a Host, asking: Asking, limit: Duration) -> Answering<'a> {
        Box::pin(async move {
            let within = ANSWER_WITHIN.min(limit / 2);
            if asking == Asking::One {
                let Some(sentinel) = self.next() else { return false };
                let answer = self.ask(sentinel, within).await;
                if answer.is_ok_and(|named| named == *server) {
                    return false;
                }
            }
            matches!(self.vote(within).await, Vote::Sure(named) if named != *server)
        })
    }
}

impl fmt::Debug for Sentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentinel")
            .field("sentinels", &self.sentinels)
            .field("name", &self.name)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

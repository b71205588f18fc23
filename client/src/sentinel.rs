//! Redis Sentinel: who the primary is, asked anew for every connection.
//!
//! Every sentinel is asked at once, and what most of those say that answer in time counts: one that was cut off, and still names
//! the old primary, is outvoted. Where it is not, the handshake finds out that the server is a replica, and the next connection
//! asks again. So nothing needs to be told of a failover, and a name that was looked up once is never believed for long.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tokio::task::JoinSet;

use crate::connect::{BoxStream, Connect, Connecting};
use crate::connect_to::ConnectTo;
use crate::endpoint::Credentials;

/// Host and port.
type Address = (String, u16);

/// How long a sentinel may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// Opens streams to whichever server the sentinels name as primary.
#[derive(Clone)]
pub struct Sentinel {
    sentinels: Vec<Address>,
    name: String,
    credentials: Credentials,
    connect_to: Arc<ConnectTo>,
}

impl Sentinel {
    /// The primary that these sentinels know by `name`. They, and it, are reached by `connect_to`.
    pub fn new(sentinels: Vec<(String, u16)>, name: impl Into<String>, connect_to: Arc<ConnectTo>) -> Self {
        Self { sentinels, name: name.into(), credentials: Credentials::default(), connect_to }
    }

    /// The same, where the sentinels want a login of their own. That of the primary is the endpoint's.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// Where the primary is, as most of the sentinels say that answer.
    async fn primary(&self) -> io::Result<Address> {
        let mut asked = JoinSet::new();
        for address in &self.sentinels {
            let (sentinel, address) = (self.clone(), address.clone());
            asked.spawn(async move {
                let answer = tokio::time::timeout(ANSWERS_WITHIN, sentinel.ask(&address)).await;
                answer.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
            });
        }
        let (mut votes, mut failed) = (BTreeMap::<Address, usize>::new(), None);
        while let Some(answer) = asked.join_next().await {
            match answer.unwrap_or_else(|ended| Err(io::Error::other(ended))) {
                Ok(address) => {
                    let count = votes.entry(address.clone()).or_default();
                    *count += 1;
                    // The others cannot outvote it any more.
                    if *count * 2 > self.sentinels.len() {
                        return Ok(address);
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count).map(|(address, _)| address);
        most.ok_or_else(|| {
            let why = failed.map_or_else(|| "there is none".to_owned(), |error| error.to_string());
            io::Error::new(
                io::ErrorKind::NotConnected,
                format!("no sentinel of {} names a primary {:?}: {why}", self.sentinels.len(), self.name),
            )
        })
    }

    /// What one sentinel says.
    async fn ask(&self, (host, port): &Address) -> io::Result<Address> {
        let stream = (self.connect_to)(host, *port)?.connect().await?;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWERS_WITHIN));
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let made = MultiplexedConnection::new_with_config(&info, stream, config).await;
        let (mut connection, driver) = made.map_err(io::Error::other)?;
        let driver = tokio::spawn(driver);
        let asked = async {
            if let Some(login) = self.credentials.auth() {
                login.query_async::<()>(&mut connection).await?;
            }
            let mut ask = redis::cmd("SENTINEL");
            ask.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
            ask.query_async::<Option<(String, u16)>>(&mut connection).await
        };
        let answer = asked.await;
        driver.abort();
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "a sentinel does not know that name");
        answer.map_err(io::Error::other)?.ok_or_else(unknown)
    }
}

impl Connect for Sentinel {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let (host, port) = self.primary().await?;
            let stream: BoxStream = (self.connect_to)(&host, port)?.connect().await?;
            Ok(stream)
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

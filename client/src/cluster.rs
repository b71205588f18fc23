//! Redis Cluster: which node holds a client's keys, asked anew for every connection.
//!
//! All seeds are asked at once, and beside them some of the nodes that were named last, for a seed may have been cut off from the
//! others. Where they disagree, what was decided last counts, by the number that the nodes themselves settle
//! it by (the configuration epoch). A node that is only said to hold the keys is asked itself, and if it has handed them on, so is
//! the next. So there is no table to keep up to date, and nothing needs to be told of a failover or of a slot that moves: a node
//! that does not hold the keys says so (`MOVED`), the connection is left, and the next one asks again.

mod told;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, Value};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::address::Host;
use crate::connect::{Connect, Connecting, Leading};
use crate::connect_to::ConnectTo;
use crate::endpoint::{Credentials, Endpoint};
use crate::error::CallError;
use crate::error::told::{NO_REDIS, stream_error};
use crate::task::AbortOnDrop;
use crate::tls;
use crate::watched::{GUIDE_TOO_LARGE, Seen, Watched};
use told::Told;

/// How long a connection may take to open where nobody says.
const OPENS_WITHIN: Duration = Duration::from_secs(2);

/// How long others are waited for once a node has answered.
const OTHERS_WITHIN: Duration = Duration::from_millis(50);

/// What is said of a user who lacks the right.
const MAY_NOT_ASK: &str = "it may not ask where keys are, so give it +cluster|keyslot and +cluster|slots";

/// How often a node that was said to hold the keys may name another.
const HOPS: usize = 3;

/// How many nodes are kept in mind beside the seeds.
const REMEMBERED: usize = 16;

/// How many of them are asked together with the seeds.
const BESIDE: usize = 3;

/// Opens streams to whichever node holds the keys of a client. The client's `key_prefix` must have a hash tag:
/// [`Sharded`](crate::Sharded) spreads sessions over many such clients.
#[derive(Clone)]
pub struct Cluster {
    seeds: Vec<Host>,
    credentials: Credentials,
    connect_to: Arc<ConnectTo>,
    /// What the nodes said last of who else there is: those first that are to be asked first.
    nodes: Arc<Mutex<Vec<Host>>>,
    /// Whose turn it is.
    turn: Arc<AtomicUsize>,
}

impl Cluster {
    /// The cluster that some of these nodes belong to. They, and those that they name, are reached by `connect_to` and have the
    /// same credentials.
    pub fn new(seeds: Vec<(String, u16)>, credentials: Credentials, connect_to: Arc<ConnectTo>) -> Self {
        Self { seeds, credentials, connect_to, nodes: Arc::default(), turn: Arc::default() }
    }

    /// Where the keys that begin so are. `limit` is for the whole of the connection, so a part of it is for each node.
    async fn holder(&self, prefix: &str, limit: Duration) -> Result<Host, CallError> {
        let asking = Asking { prefix, within: limit / 4 };
        let mut first = self.seeds.clone();
        let mut others = self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        first.extend(others.drain(..BESIDE.min(others.len())));
        let mut told = match self.ask_each(&first, asking).await {
            Ok(told) => told,
            Err(error) => self.ask_each(&others, asking).await.map_err(|_| error)?,
        };
        for _ in 0..HOPS {
            if told.by_itself {
                break;
            }
            let said = self.ask_in_time(&told.holder, asking).await?;
            if said.holder == told.holder {
                break;
            }
            told = said;
        }
        self.remember(told.nodes);
        Ok(told.holder)
    }

    /// Keeps in mind who else there is. Each has its turn to be among those that are kept, and asked.
    fn remember(&self, mut nodes: Vec<Host>) {
        nodes.retain(|node| !self.seeds.contains(node));
        if !nodes.is_empty() {
            let turn = self.turn.fetch_add(BESIDE, Ordering::Relaxed) % nodes.len();
            nodes.rotate_left(turn);
        }
        nodes.truncate(REMEMBERED);
        *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }

    /// What those say of `nodes` that answer in time.
    async fn ask_each(&self, nodes: &[Host], asking: Asking<'_>) -> Result<Told, CallError> {
        let mut asked = JoinSet::new();
        for node in nodes {
            let (cluster, node, prefix) = (self.clone(), node.clone(), asking.prefix.to_owned());
            let within = asking.within;
            asked.spawn(async move { cluster.ask_in_time(&node, Asking { prefix: &prefix, within }).await });
        }
        let (mut all, mut failed, mut patience) = (Vec::new(), Vec::new(), asking.within * 2);
        while let Ok(Some(answer)) = timeout(patience, asked.join_next()).await {
            match answer.unwrap_or_else(|ended| Err(CallError::Connect(ended.to_string()))) {
                Ok(told) => all.push(told),
                Err(error) => failed.push(error),
            }
            if all.len() * 2 > nodes.len() {
                break;
            }
            if !all.is_empty() {
                // One that is cut off must not keep every connection waiting.
                patience = OTHERS_WITHIN;
            }
        }
        told::latest(all).ok_or_else(|| no_answer(failed, nodes.len()))
    }

    async fn ask_in_time(&self, node: &Host, asking: Asking<'_>) -> Result<Told, CallError> {
        let connect = (self.connect_to)(&node.0, node.1)?;
        let answer = timeout(asking.within, self.ask(node, &*connect, asking.prefix)).await;
        answer.unwrap_or_else(|_| Err(CallError::Connect(connect.stalled().to_owned())))
    }

    /// What one node says.
    async fn ask(&self, node: &Host, connect: &dyn Connect, prefix: &str) -> Result<Told, CallError> {
        let stream = Watched::new(connect.connect().await?, &Arc::new(Seen::of_guide()));
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let made = MultiplexedConnection::new_with_config(&info, stream, config).await;
        let (mut connection, driver) = made.map_err(|error| failed(&error, connect))?;
        let _driver = AbortOnDrop(tokio::spawn(driver).abort_handle());
        if let Some(login) = self.credentials.auth() {
            let reply = connection.send_packed_command(&login).await.and_then(Value::extract_error);
            reply.map_err(|error| failed(&error, connect))?;
        }
        let ask = |words: &[&str]| {
            let (mut command, mut connection) = (redis::cmd("CLUSTER"), connection.clone());
            command.arg(words);
            async move { connection.send_packed_command(&command).await }
        };
        // Not a pipeline, whose errors do not say why a connection ended; the first of these does.
        let (slot, slots, nodes) = tokio::join!(ask(&["KEYSLOT", prefix]), ask(&["SLOTS"]), ask(&["NODES"]));
        let replies = [slot, slots, nodes].into_iter().collect::<Result<Vec<_>, _>>();
        let told = told::told(node, replies.map_err(|error| failed(&error, connect))?);
        told.map_err(|error| match error {
            // It is no answer to the command that needs a connection.
            CallError::Auth(code) if code == "NOPERM" => CallError::Auth(MAY_NOT_ASK.to_owned()),
            other => other,
        })
    }
}

/// What is asked of a node, and how long it may take to answer.
#[derive(Clone, Copy)]
struct Asking<'a> {
    prefix: &'a str,
    within: Duration,
}

/// A question that failed. A server that does not take the client's certificate says so only when it is spoken to.
fn failed(error: &redis::RedisError, connect: &dyn Connect) -> CallError {
    if let Some(why) = stream_error(error).and_then(tls::failure) {
        return CallError::Tls(why);
    }
    match CallError::from(error) {
        CallError::Broken(why) if why != NO_REDIS && why != GUIDE_TOO_LARGE => {
            CallError::Connect(connect.hung_up().to_owned())
        }
        other => other,
    }
}

/// Why no node says who holds the keys: of all reasons the one that most needs somebody's hand.
fn no_answer(failed: Vec<CallError>, of: usize) -> CallError {
    let worst = failed.into_iter().max_by_key(|error| match error {
        CallError::Auth(_) | CallError::Tls(_) => 3,
        CallError::NotNow(_) => 2,
        CallError::Refused(_) => 1,
        _ => 0,
    });
    match worst {
        Some(error @ (CallError::Auth(_) | CallError::Tls(_) | CallError::NotNow(_))) => error,
        Some(CallError::Refused(why) | CallError::Connect(why) | CallError::Broken(why)) => {
            CallError::Connect(format!("no node of {of} says who holds the keys: {why}"))
        }
        Some(error) => CallError::Connect(format!("no node of {of} says who holds the keys: {error}")),
        None => CallError::Connect(format!("no node of {of} says who holds the keys")),
    }
}

impl Connect for Cluster {
    /// To the node that holds the empty key: without keys it is all the same.
    fn connect(&self) -> Connecting<'_> {
        self.connect_within(OPENS_WITHIN)
    }

    fn connect_within(&self, limit: Duration) -> Connecting<'_> {
        Box::pin(async move { Ok(self.connect_for("", limit).await?.0) })
    }

    fn connect_for<'a>(&'a self, prefix: &'a str, limit: Duration) -> Leading<'a> {
        Box::pin(async move {
            let (host, port) = self.holder(prefix, limit).await.map_err(io::Error::other)?;
            Ok(((self.connect_to)(&host, port)?.connect().await?, None))
        })
    }

    fn is_cluster(&self) -> bool {
        true
    }
}

/// With the same credentials, in the only database that a cluster has.
impl From<Cluster> for Endpoint {
    fn from(cluster: Cluster) -> Self {
        let credentials = cluster.credentials.clone();
        Self { credentials, ..Self::new(Arc::new(cluster)) }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("seeds", &self.seeds)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! A primary, its replicas, and sentinels, which make a replica primary when the primary is away.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use redis::Value;

use super::super::{Login, WorldError, failed};
use super::own::Own;
use super::program::Program;
use super::role::Role;
use super::wait;

/// The name that sentinels know the primary by.
pub(super) const NAME: &str = "sessions";

const REPLICAS: usize = 2;
const SENTINELS: usize = 3;

/// So many sentinels must agree that the primary is away.
const QUORUM: usize = 2;

/// A replica is to have what the primary has at once.
const OPTIONS: &str = "--repl-diskless-sync-delay 0 --repl-ping-replica-period 1";

/// How soon a primary that is away is given up, and how soon another attempt is made to put another in its place. Times of
/// production would make runs long.
const PATIENCE: [&str; 2] = ["down-after-milliseconds sessions 1000", "failover-timeout sessions 2000"];

pub(super) struct Sentinel {
    pub(super) servers: Vec<Own>,
    pub(super) sentinels: Vec<Own>,
}

impl Sentinel {
    /// Starts all of them, and returns when they know each other.
    pub(super) async fn start(program: &Program, login: &Login) -> Result<Self, WorldError> {
        let primary = Own::start_as(program.clone(), login.clone(), Role::server(OPTIONS)).await?;
        let of = primary.address();
        let mut servers = vec![primary];
        for _ in 0..REPLICAS {
            servers.push(Own::start_as(program.clone(), login.clone(), replica_of(of)).await?);
        }
        for replica in &servers[1..] {
            wait::until("have a replica catch up", || wait::has_caught_up(replica.side())).await?;
        }
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            sentinels.push(Own::start_as(program.clone(), Login::default(), watching(of)).await?);
        }
        for sentinel in &sentinels {
            wait::until("have the sentinels find each other", || knows_all(sentinel)).await?;
        }
        Ok(Self { servers, sentinels })
    }

    /// For reports.
    pub(super) fn note() -> String {
        format!("topology: a primary, {REPLICAS} replicas and {SENTINELS} sentinels")
    }

    /// The number of the server that most sentinels say is the primary.
    pub(super) async fn primary(&self) -> Result<usize, WorldError> {
        const DOING: &str = "ask the sentinels for the primary";
        let mut votes: BTreeMap<u16, usize> = BTreeMap::new();
        for sentinel in &self.sentinels {
            let mut ask = redis::cmd("SENTINEL");
            ask.arg("GET-MASTER-ADDR-BY-NAME").arg(NAME);
            let (_, port): (String, u16) = sentinel.side().ask(&ask).await?;
            *votes.entry(port).or_default() += 1;
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count).map(|(port, _)| port);
        let number = self.servers.iter().position(|server| Some(server.address().port()) == most);
        number.ok_or_else(|| failed(DOING)("they name none of the servers"))
    }

    /// Says what a server that was killed is to be when it starts again: a replica of whoever took its place, if anybody did.
    pub(super) async fn prepare(&self, number: usize, replaced: bool) -> Result<(), WorldError> {
        let role = if replaced {
            replica_of(self.servers[self.primary().await?].address())
        } else {
            Role::server(OPTIONS)
        };
        self.servers[number].become_next(role).await;
        Ok(())
    }
}

fn replica_of(primary: SocketAddr) -> Role {
    Role::server(&format!("{OPTIONS} --replicaof {} {}", primary.ip(), primary.port()))
}

fn watching(primary: SocketAddr) -> Role {
    let watch = format!("monitor {NAME} {} {} {QUORUM}", primary.ip(), primary.port());
    let lines = std::iter::once(watch.as_str()).chain(PATIENCE);
    Role::Sentinel(lines.map(|line| format!("sentinel {line}")).collect())
}

/// Whether a sentinel knows the others, and every replica.
async fn knows_all(sentinel: &Own) -> Result<bool, WorldError> {
    let count = async |what: &str| {
        let answer: Vec<Value> = sentinel.side().ask(redis::cmd("SENTINEL").arg(what).arg(NAME)).await?;
        Ok::<_, WorldError>(answer.len())
    };
    Ok(count("SENTINELS").await? == SENTINELS - 1 && count("REPLICAS").await? == REPLICAS)
}

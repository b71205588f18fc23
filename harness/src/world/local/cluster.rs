//! A cluster: three primaries that share the keys, and a replica of each, which takes over when its primary is away.

use std::time::Duration;

use redis::RedisError;

use super::super::side::Side;
use super::super::{Login, WorldError, failed};
use super::own::Own;
use super::port::Port;
use super::program::Program;
use super::role::Role;
use super::wait;

const PRIMARIES: usize = 3;

/// How many slots a cluster has.
const SLOTS: usize = 16384;

/// How soon a primary that is away is given up. Times of production would make runs long, and shorter ones would take a busy
/// machine for an outage.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(2);

/// Sessions of primaries that are there are served whoever else is away, and a replica always takes over.
const OPTIONS: &str = "--cluster-enabled yes --cluster-require-full-coverage no --cluster-replica-validity-factor 0 \
                       --cluster-allow-replica-migration no --repl-diskless-sync-delay 0 --repl-ping-replica-period 1";

pub(super) struct Cluster {
    /// Primaries first, then a replica of each in the same order.
    pub(super) servers: Vec<Own>,
    /// The ports by which they speak among themselves, held as long as they may start again.
    buses: Vec<Port>,
}

impl Cluster {
    /// Starts all of them, and returns when they know each other and replicas have caught up.
    pub(super) async fn start(program: &Program, login: &Login) -> Result<Self, WorldError> {
        let (mut servers, mut buses) = (Vec::new(), Vec::new());
        for _ in 0..2 * PRIMARIES {
            let bus = Port::take().map_err(failed("make ready for a server"))?;
            let role = node(bus.address().port());
            servers.push(Own::start_as(program.clone(), login.clone(), role).await?);
            buses.push(bus);
        }
        let cluster = Self { servers, buses };
        cluster.share_the_slots().await?;
        cluster.meet().await?;
        cluster.replicate().await?;
        Ok(cluster)
    }

    /// For reports.
    pub(super) fn note() -> String {
        format!("topology: a cluster of {PRIMARIES} primaries and a replica of each")
    }

    /// The primaries that there are at the start.
    pub(super) fn seeds(&self) -> &[Own] {
        &self.servers[..PRIMARIES]
    }

    /// The number of the primary that faults strike: the one that holds the first slot, as was decided last.
    pub(super) async fn primary(&self) -> Result<usize, WorldError> {
        let mut holder = None;
        for (number, server) in self.servers.iter().enumerate() {
            // Who is away is none just now.
            let nodes: Result<String, _> = server.side().ask(redis::cmd("CLUSTER").arg("NODES")).await;
            let epoch = nodes.ok().as_deref().and_then(epoch_of_first_slot);
            holder = holder.max(epoch.map(|epoch| (epoch, number)));
        }
        let nobody = || failed("ask the cluster for a primary")("nobody holds its first slot");
        holder.map(|(_, number)| number).ok_or_else(nobody)
    }

    /// The connection to the node that holds a key.
    pub(super) async fn side_of(&self, key: &str) -> Result<&Side, WorldError> {
        let mut why = None;
        for server in &self.servers {
            let asked: Result<i64, RedisError> = server.side().try_ask(redis::cmd("PTTL").arg(key)).await;
            match asked {
                Ok(_) => return Ok(server.side()),
                Err(error) if error.code() == Some("MOVED") => {}
                Err(error) => why = Some(error.to_string()),
            }
        }
        let why = why.unwrap_or_else(|| "every node names another".to_owned());
        Err(failed("ask the cluster for a key")(why))
    }

    async fn share_the_slots(&self) -> Result<(), WorldError> {
        for (number, server) in self.servers.iter().enumerate() {
            // They differ from the start, so that nobody needs to settle who has which.
            tell(server, &["SET-CONFIG-EPOCH", &(number + 1).to_string()]).await?;
            if number < PRIMARIES {
                let first = (number * SLOTS / PRIMARIES).to_string();
                let last = ((number + 1) * SLOTS / PRIMARIES - 1).to_string();
                tell(server, &["ADDSLOTSRANGE", &first, &last]).await?;
            }
        }
        Ok(())
    }

    async fn meet(&self) -> Result<(), WorldError> {
        for (server, bus) in self.servers.iter().zip(&self.buses).skip(1) {
            let (port, bus) = (server.address().port().to_string(), bus.address().port().to_string());
            tell(&self.servers[0], &["MEET", &server.address().ip().to_string(), &port, &bus]).await?;
        }
        let known = format!("cluster_known_nodes:{}\r", self.servers.len());
        for server in &self.servers {
            let met = || async {
                let info: String = server.side().ask(redis::cmd("CLUSTER").arg("INFO")).await?;
                Ok(info.contains(&known) && info.contains("cluster_state:ok"))
            };
            wait::until("have the nodes of the cluster find each other", met).await?;
        }
        Ok(())
    }

    async fn replicate(&self) -> Result<(), WorldError> {
        let (primaries, replicas) = self.servers.split_at(PRIMARIES);
        for (primary, replica) in primaries.iter().zip(replicas) {
            let id: String = primary.side().ask(redis::cmd("CLUSTER").arg("MYID")).await?;
            tell(replica, &["REPLICATE", &id]).await?;
        }
        for replica in replicas {
            wait::until("have a replica catch up", || wait::has_caught_up(replica.side())).await?;
        }
        for server in &self.servers {
            let knows = || async {
                let nodes: String = server.side().ask(redis::cmd("CLUSTER").arg("NODES")).await?;
                Ok(nodes.lines().filter(|line| line.contains("slave")).count() == replicas.len())
            };
            wait::until("have every node know the replicas", knows).await?;
        }
        Ok(())
    }
}

fn node(bus: u16) -> Role {
    let patience = GIVEN_UP_AFTER.as_millis();
    Role::server(&format!("{OPTIONS} --cluster-port {bus} --cluster-node-timeout {patience}"))
}

async fn tell(server: &Own, words: &[&str]) -> Result<(), WorldError> {
    server.side().ask(redis::cmd("CLUSTER").arg(words)).await
}

/// When it was decided that the node that was asked holds the first slot, by what it says of all nodes; `None` if it does not
/// take itself for the one that does. A line is `id address flags primary ping pong epoch link slots`.
fn epoch_of_first_slot(nodes: &str) -> Option<u64> {
    let fields = nodes.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let itself =
        fields.into_iter().find(|fields| fields.get(2).is_some_and(|flags| flags.contains("myself")))?;
    let holds = itself.get(8..)?.iter().any(|slots| *slots == "0" || slots.starts_with("0-"));
    let leads = itself[2].split(',').any(|flag| flag == "master");
    (holds && leads).then(|| itself[6].parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_that_was_asked_says_since_when_it_holds_the_first_slot() {
        let of = |flags: &str, slots: &str| {
            let other = "B b:2@12 master - 0 0 9 connected 0-5460\n";
            epoch_of_first_slot(&format!("{other}A a:1@11 {flags} - 0 0 7 connected{slots}\n"))
        };
        assert_eq!(of("myself,master", " 0-5460"), Some(7));
        assert_eq!(of("myself,master", " 7 0"), Some(7));
        for (flags, slots) in [
            ("myself,master", " 10-5460"),
            ("myself,master", ""),
            ("myself,slave", " 0-5460"),
            ("master", " 0-5460"),
        ] {
            assert_eq!(of(flags, slots), None, "{flags}{slots}");
        }
        assert_eq!(epoch_of_first_slot(""), None);
    }
}

//! A cluster, and clients of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall_client::connect_to;
use squall_client::{
    Ack, CallError, Clock, Cluster, Credentials, Endpoint, Environment, Event, Lookup, Mode, ServedBy,
    Settings, Sharded,
};

use crate::redis::{MINUTE, Redis, Told, eventually, free_port, mode, quick, told, value};

/// Primaries first, then their replicas in the same order.
pub(crate) struct Nodes(pub(crate) Vec<Redis>);

/// How many primaries there are, and so replicas.
pub(crate) const PRIMARIES: usize = 3;

/// How many slots a cluster has.
const SLOTS: usize = 16384;

/// Shards of the clients here: each primary holds some.
pub(crate) const SHARDS: u16 = 8;

/// A node of a cluster, on its own as yet.
async fn node(more: Vec<String>) -> Option<(Redis, u16)> {
    let bus = free_port();
    let options = format!(
        "--cluster-enabled yes --cluster-port {bus} --cluster-node-timeout 2000 --cluster-require-full-coverage no \
         --cluster-replica-validity-factor 0 --cluster-allow-replica-migration no --repl-diskless-sync-delay 0"
    );
    let redis = Redis::start_with(options.split(' ').map(str::to_owned).chain(more).collect()).await?;
    Some((redis, bus))
}

/// A node that knows no others, and holds no slot as yet.
pub(crate) async fn alone() -> Option<Redis> {
    alone_with(Vec::new()).await
}

/// The same, with more options on its command line.
pub(crate) async fn alone_with(more: Vec<String>) -> Option<Redis> {
    Some(node(more).await?.0)
}

impl Nodes {
    /// A cluster that is whole, with replicas that have caught up.
    pub(crate) async fn start() -> Option<Self> {
        let (mut nodes, mut buses) = (Vec::new(), Vec::new());
        for _ in 0..2 * PRIMARIES {
            let (redis, bus) = node(Vec::new()).await?;
            nodes.push(redis);
            buses.push(bus);
        }
        for (number, node) in nodes.iter().enumerate() {
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
            if number < PRIMARIES {
                let (first, last) = (number * SLOTS / PRIMARIES, (number + 1) * SLOTS / PRIMARIES - 1);
                let range = [first.to_string(), last.to_string()];
                node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]).await;
            }
        }
        for (node, bus) in nodes.iter().zip(&buses).skip(1) {
            let there = [node.port.to_string(), bus.to_string()];
            nodes[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &there[0], &there[1]]).await;
        }
        let nodes = Self(nodes);
        nodes.each("knows all others", |info| info.contains("cluster_known_nodes:6")).await;
        nodes.each("has been greeted", |info| info.contains("cluster_state:ok")).await;
        for number in 0..PRIMARIES {
            let id: String = nodes.0[number].ask(&["CLUSTER", "MYID"]).await;
            nodes.0[PRIMARIES + number].ask::<()>(&["CLUSTER", "REPLICATE", &id]).await;
        }
        nodes.caught_up().await;
        Some(nodes)
    }

    async fn each(&self, what: &str, such: impl Fn(&str) -> bool) {
        for node in &self.0 {
            eventually(&format!("each node {what}"), || async {
                such(&node.ask::<String>(&["CLUSTER", "INFO"]).await)
            })
            .await;
        }
    }

    /// Waits until replicas have what their primaries have, and everyone knows of them.
    async fn caught_up(&self) {
        for replica in &self.0[PRIMARIES..] {
            eventually("each replica has caught up", || async {
                replica.ask::<String>(&["INFO", "replication"]).await.contains("master_link_status:up")
            })
            .await;
        }
        for node in &self.0 {
            eventually("each node knows all replicas", || async {
                let nodes: String = node.ask(&["CLUSTER", "NODES"]).await;
                nodes.lines().filter(|line| line.contains("slave")).count() == PRIMARIES
            })
            .await;
        }
    }

    /// The slot of a shard.
    pub(crate) async fn slot(&self, shard: u16) -> usize {
        let tag = format!("{{{shard}/{SHARDS}}}");
        // Whoever is asked.
        self.0[PRIMARIES].ask(&["CLUSTER", "KEYSLOT", &tag]).await
    }

    /// The shards whose slots this primary holds at the start.
    pub(crate) async fn shards_of(&self, primary: usize) -> Vec<usize> {
        let mut shards = Vec::new();
        for shard in 0..SHARDS {
            let slot = self.slot(shard).await;
            if (primary * SLOTS / PRIMARIES..(primary + 1) * SLOTS / PRIMARIES).contains(&slot) {
                shards.push(usize::from(shard));
            }
        }
        assert!(!shards.is_empty(), "primary {primary} holds no shard");
        shards
    }

    /// Clients whose seeds are the primaries.
    pub(crate) fn clients(&self, writer: u32) -> Clients {
        let ports: Vec<u16> = self.0[..PRIMARIES].iter().map(|node| node.port).collect();
        Clients::start(endpoint(&ports), writer)
    }
}

/// The cluster of these seeds.
pub(crate) fn endpoint(seeds: &[u16]) -> Endpoint {
    let seeds = seeds.iter().map(|port| ("127.0.0.1".to_owned(), *port)).collect();
    let connect_to = connect_to::tcp(&Settings::default().keepalive);
    Cluster::new(seeds, Credentials::default(), connect_to).into()
}

/// An operation ends before a replica can have taken over, and a machine that is busy is no outage.
pub(crate) fn patient() -> Settings {
    let mut settings = quick();
    settings.connect_timeout = Duration::from_secs(1);
    settings.operation_timeout = Duration::from_millis(800);
    settings.deadline = Duration::from_millis(1800);
    settings.retry.retries = 2;
    settings.breaker.slow_calls = false;
    settings
}

/// A client all of whose keys are in one slot.
pub(crate) fn client(endpoint: Endpoint) -> Told {
    let settings = Settings { key_prefix: "session:{a}:".to_owned(), ..patient() };
    told(endpoint, 1, &settings, Clock::system())
}

/// Why this client cannot ask Redis.
pub(crate) async fn why(told: &Told) -> CallError {
    match told.client.get("unknown").await.expect("it can be asked") {
        Lookup::Unknown { because } => because,
        other => panic!("{other:?}"),
    }
}

/// A sharded client, and what each of its shards has told.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) sharded: Sharded,
    events: Vec<Arc<Mutex<Vec<Event>>>>,
}

impl Clients {
    pub(crate) fn start(endpoint: Endpoint, writer: u32) -> Self {
        let mut events = Vec::new();
        let sharded = Sharded::start(&patient(), &endpoint, SHARDS, |_| {
            let log = Arc::new(Mutex::new(Vec::new()));
            events.push(Arc::clone(&log));
            let observer = Arc::new(move |event: &Event| log.lock().expect("no panic").push(event.clone()));
            Environment { observer, ..Environment::new(writer) }
        });
        Self { sharded: sharded.expect("the settings are in range"), events }
    }

    pub(crate) async fn create(&self, id: &str, text: &str) -> ServedBy {
        self.sharded.create(id, value(text), MINUTE).await.expect("a session can be created").served_by
    }

    pub(crate) async fn update(&self, id: &str, text: &str) -> Ack {
        let updated = self.sharded.update(id, value(text)).await;
        updated.unwrap_or_else(|error| panic!("{id} cannot be updated: {error}"))
    }

    /// What Redis says of a session.
    pub(crate) async fn read(&self, id: &str) -> Option<String> {
        match self.sharded.get(id).await.expect("it can be asked") {
            Lookup::Found { session, served_by: ServedBy::Redis } => {
                Some(String::from_utf8_lossy(&session.value).into_owned())
            }
            Lookup::Absent { served_by: ServedBy::Redis } => None,
            other => panic!("redis does not say what {id} is: {other:?}"),
        }
    }

    /// Waits until no shard has anything left to bring.
    pub(crate) async fn clean(&self) {
        eventually("nothing is dirty", || async {
            self.sharded.stats().iter().all(|shard| shard.dirty == 0)
        })
        .await;
    }

    /// How many events of a shard are such.
    pub(crate) fn count(&self, shard: usize, such: impl Fn(&Event) -> bool) -> usize {
        self.events[shard].lock().expect("no panic").iter().filter(|event| such(event)).count()
    }

    /// How often a shard was served by memory.
    pub(crate) fn outages(&self, shard: usize) -> usize {
        self.count(shard, |event| mode(event) == Some(Mode::Local))
    }

    /// So many ids of this shard.
    pub(crate) fn ids_in(&self, shard: usize, many: usize) -> Vec<String> {
        (0..)
            .map(|number| format!("id-{number}"))
            .filter(|id| self.sharded.shard_of(id) == shard)
            .take(many)
            .collect()
    }
}

/// Ids of all shards.
pub(crate) fn ids(many: usize) -> Vec<String> {
    (0..many).map(|number| format!("id-{number}")).collect()
}

//! Slots: where sessions lie, and what becomes of them while their slot moves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use squall_client::{Cache, CallError, Event, Lookup, ServedBy, SessionError};

use tokio::task::JoinSet;

use crate::redis::{Redis, eventually};
use crate::stage::{Clients, Nodes, PRIMARIES, SHARDS, ids};

#[tokio::test]
async fn sessions_lie_on_the_node_that_holds_their_slot_and_every_instance_finds_them() {
    let Some(nodes) = Nodes::start().await else { return };
    let (clients, other) = (nodes.clients(1), nodes.clients(2));
    for id in ids(48) {
        assert_eq!(clients.create(&id, &id).await, ServedBy::Redis, "{id}");
    }
    for id in ids(48) {
        assert_eq!(other.read(&id).await.as_deref(), Some(&*id));
    }
    for primary in 0..PRIMARIES {
        let here = nodes.shards_of(primary).await;
        for id in ids(48) {
            let shard = clients.sharded.shard_of(&id);
            if here.contains(&shard) {
                let key = format!("session:{{{shard}/{SHARDS}}}:{id}");
                assert!(nodes.0[primary].ask::<bool>(&["EXISTS", &key]).await, "{key}");
            }
        }
    }
    let counts: Vec<u64> =
        other.sharded.count().await.into_iter().map(|count| count.expect("it counts")).collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (usize::from(SHARDS), 48));
    assert_eq!(other.sharded.destroy("id-7").await.expect("it can be destroyed").served_by, ServedBy::Redis);
    assert_eq!(clients.read("id-7").await, None);
    let cleared: u64 =
        other.sharded.clear("id-1*").await.into_iter().map(|cleared| cleared.expect("it clears").count).sum();
    assert_eq!(cleared, 11);
    assert_eq!(clients.read("id-12").await, None);
    other.sharded.shutdown().await;
}

/// A slot on its way from one node to another, as `redis-cli --cluster reshard` moves it.
struct Moving<'a> {
    nodes: &'a Nodes,
    slot: String,
    from: &'a Redis,
    to: &'a Redis,
}

impl<'a> Moving<'a> {
    async fn begin(nodes: &'a Nodes, slot: usize, from: &'a Redis, to: &'a Redis) -> Self {
        let ids: [String; 2] = [from.ask(&["CLUSTER", "MYID"]).await, to.ask(&["CLUSTER", "MYID"]).await];
        let slot = slot.to_string();
        to.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]).await;
        from.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]).await;
        Self { nodes, slot, from, to }
    }

    /// Moves so many keys at most, and says how many there were.
    async fn step(&self, most: &str) -> usize {
        let keys: Vec<String> = self.from.ask(&["CLUSTER", "GETKEYSINSLOT", &self.slot, most]).await;
        if !keys.is_empty() {
            let port = self.to.port.to_string();
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            words.extend(keys.iter().map(String::as_str));
            self.from.ask::<String>(&words).await;
        }
        keys.len()
    }

    async fn end(self) {
        while self.step("3").await > 0 {}
        let id: String = self.to.ask(&["CLUSTER", "MYID"]).await;
        for node in [self.to, self.from].into_iter().chain(&self.nodes.0[..PRIMARIES]) {
            node.ask::<()>(&["CLUSTER", "SETSLOT", &self.slot, "NODE", &id]).await;
        }
    }
}

/// Memory answers so fast that nothing else would come to its turn.
const PACE: Duration = Duration::from_millis(5);

/// Whether Redis refused something because the slot is on its way, or has gone.
fn refused(event: &Event, why: &str) -> bool {
    matches!(event, Event::Failed { error: CallError::NotNow(code), .. } if code == why)
}

/// Updates, destroys and creates sessions, each with a value of its own, until it is told to end. What each must be then.
async fn write(clients: &Clients, ids: Vec<String>, over: &AtomicBool) -> BTreeMap<String, Option<String>> {
    let mut last: BTreeMap<_, _> = ids.iter().map(|id| (id.clone(), Some("before".to_owned()))).collect();
    let mut pace = tokio::time::interval(PACE);
    for round in 0.. {
        pace.tick().await;
        for (number, id) in ids.iter().enumerate() {
            let text = format!("{id} in round {round}");
            if (round + number) % 7 == 0 {
                clients.sharded.destroy(id).await.expect("it can be destroyed");
                last.insert(id.clone(), None);
            } else {
                clients.create(id, &text).await;
                last.insert(id.clone(), Some(text));
            }
        }
        if over.load(Ordering::SeqCst) {
            break;
        }
    }
    last
}

#[tokio::test]
async fn a_slot_that_has_moved_is_found_by_the_operation_that_meets_it() {
    let Some(nodes) = Nodes::start().await else { return };
    let clients = nodes.clients(1);
    let shard = nodes.shards_of(0).await[0];
    let (slot, ids) = (nodes.slot(u16::try_from(shard).expect("a few")).await, clients.ids_in(shard, 2));
    for (to, from) in [(1, 0), (0, 1)] {
        for id in &ids {
            assert_eq!(clients.create(id, "before").await, ServedBy::Redis);
        }
        Moving::begin(&nodes, slot, &nodes.0[from], &nodes.0[to]).await.end().await;
        let moved = || clients.count(shard, |event| refused(event, "MOVED"));
        let before = moved();
        assert_eq!(clients.update(&ids[0], "after").await.served_by, ServedBy::Redis);
        assert!(moved() > before, "it was not told that the slot has moved");
        assert_eq!(clients.read(&ids[1]).await.as_deref(), Some("before"));
    }
    assert_eq!(clients.outages(shard), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_to_another_node_while_its_sessions_are_written_loses_nothing_acknowledged() {
    let Some(nodes) = Nodes::start().await else { return };
    let clients = nodes.clients(1);
    let shard = nodes.shards_of(0).await[0];
    let (slot, ids) = (nodes.slot(u16::try_from(shard).expect("a few")).await, clients.ids_in(shard, 40));
    for id in &ids {
        assert_eq!(clients.create(id, "before").await, ServedBy::Redis, "{id}");
    }
    let over = AtomicBool::new(false);
    let halves = ids.split_at(20);
    let moving = async {
        let slot = Moving::begin(&nodes, slot, &nodes.0[0], &nodes.0[1]).await;
        slot.step("20").await;
        eventually("writes are refused", || async {
            clients.count(shard, |event| refused(event, "ASK")) > 0
        })
        .await;
        // What is not here may be there: nobody is logged out.
        let nowhere = clients.sharded.get(&clients.ids_in(shard, 41)[40]).await.expect("it can be asked");
        assert!(matches!(nowhere, Lookup::Unknown { .. }), "{nowhere:?}");
        slot.end().await;
        // Connections that lead to the old node are left, with nothing but its word.
        eventually("the shard is served by redis again", || async {
            clients.create(&ids[0], "again").await == ServedBy::Redis
        })
        .await;
        over.store(true, Ordering::SeqCst);
    };
    let (mut last, more, ()) = tokio::join!(
        write(&clients, halves.0[1..].to_vec(), &over),
        write(&clients, halves.1.to_vec(), &over),
        moving
    );
    last.extend(more);
    clients.clean().await;
    assert!(clients.count(shard, |event| refused(event, "MOVED")) > 0, "nothing was moved under its feet");
    let other = nodes.clients(2);
    for (id, text) in &last {
        assert_eq!(other.read(id).await, *text, "{id}");
        let key = format!("session:{{{shard}/{SHARDS}}}:{id}");
        assert_eq!(nodes.0[1].ask::<bool>(&["EXISTS", &key]).await, text.is_some(), "{key}");
    }
    for elsewhere in (0..usize::from(SHARDS)).filter(|other| *other != shard) {
        assert_eq!(clients.outages(elsewhere), 0, "of shard {elsewhere}");
    }
}

#[tokio::test]
async fn a_slot_that_is_on_its_way_is_neither_counted_nor_cleared_by_half() {
    let Some(nodes) = Nodes::start().await else { return };
    let (clients, others) = (nodes.clients(1), nodes.clients(2));
    let shard = nodes.shards_of(0).await[0];
    let slot = nodes.slot(u16::try_from(shard).expect("a few")).await;
    for id in clients.ids_in(shard, 20) {
        assert_eq!(clients.create(&id, "1").await, ServedBy::Redis, "{id}");
    }
    // It knows no session but those that Redis tells of.
    let other = &others.sharded.shards()[shard];
    assert_eq!(other.count().await, Ok(20));
    let moving = Moving::begin(&nodes, slot, &nodes.0[0], &nodes.0[1]).await;
    moving.step("10").await;
    let ahead = || SessionError::Unavailable(CallError::NotNow("ASK".to_owned()));
    assert_eq!(other.count().await, Err(ahead()));
    assert_eq!(other.clear("*").await, Err(ahead()));
    assert_eq!(Cache::over(other.clone()).clear("*").await, Err(ahead()));
    let error = other.backup(&mut Vec::new()).await.expect_err("half of it");
    assert!(error.to_string().contains("ASK"), "{error}");
    moving.end().await;
    assert_eq!(other.count().await, Ok(20));
    assert_eq!(other.backup(&mut Vec::new()).await.map(|done| done.sessions).ok(), Some(20));
    assert_eq!(other.clear("*").await.map(|cleared| cleared.count), Ok(20));
}

#[tokio::test]
async fn nodes_that_disagree_on_a_slot_cost_no_storm_and_memory_serves_until_they_agree() {
    let Some(nodes) = Nodes::start().await else { return };
    let clients = nodes.clients(1);
    let shard = nodes.shards_of(0).await[0];
    let slot = nodes.slot(u16::try_from(shard).expect("a few")).await.to_string();
    let mine: [String; 2] =
        [nodes.0[0].ask(&["CLUSTER", "MYID"]).await, nodes.0[1].ask(&["CLUSTER", "MYID"]).await];
    // Each of two says from now on that the other holds it.
    nodes.0[0].ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &mine[1]]).await;
    let connections = || async {
        let stats: String = nodes.0[2].ask(&["INFO", "stats"]).await;
        let line = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.and_then(|line| line.trim().parse::<u32>().ok()).expect("a number")
    };
    let before = connections().await;
    let mut writing = JoinSet::new();
    for id in clients.ids_in(shard, 20) {
        let clients = clients.clone();
        writing.spawn(async move {
            for _ in 0..5 {
                assert_eq!(clients.create(&id, "kept").await, ServedBy::Local, "{id}");
            }
        });
    }
    writing.join_all().await;
    // A hundred writes of three attempts each; a third node sees how often somebody asked where the keys are.
    let asked = connections().await - before;
    assert!((3..60).contains(&asked), "it was asked {asked} times");
    nodes.0[0].ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &mine[0]]).await;
    clients.clean().await;
    let other = nodes.clients(2);
    for id in clients.ids_in(shard, 20) {
        assert_eq!(other.read(&id).await.as_deref(), Some("kept"), "{id}");
    }
}

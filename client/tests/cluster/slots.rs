//! Slots: where sessions lie, and what becomes of them while their slot moves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use squall_client::ServedBy;

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

/// Moves a slot as `redis-cli --cluster reshard` does.
async fn move_slot(nodes: &Nodes, slot: usize, from: &Redis, to: &Redis) {
    let ids: (String, String) = (from.ask(&["CLUSTER", "MYID"]).await, to.ask(&["CLUSTER", "MYID"]).await);
    let (slot, port) = (slot.to_string(), to.port.to_string());
    to.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids.0]).await;
    from.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids.1]).await;
    loop {
        let keys: Vec<String> = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "2"]).await;
        if keys.is_empty() {
            break;
        }
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        words.extend(keys.iter().map(String::as_str));
        from.ask::<String>(&words).await;
    }
    for node in [to, from].into_iter().chain(&nodes.0[..PRIMARIES]) {
        node.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids.1]).await;
    }
}

/// Updates, destroys and creates sessions, each with a value of its own, until it is told to end. What each must be then.
async fn write(clients: &Clients, ids: Vec<String>, over: &AtomicBool) -> BTreeMap<String, Option<String>> {
    let mut last: BTreeMap<_, _> = ids.iter().map(|id| (id.clone(), Some("before".to_owned()))).collect();
    for round in 0.. {
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
        move_slot(&nodes, slot, &nodes.0[0], &nodes.0[1]).await;
        // Connections that lead to the old node are left at once, with nothing but its word.
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

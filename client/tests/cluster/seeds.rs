//! Whom a client asks where its keys are, and what it says when nobody knows.

use squall_client::{CallError, Force, ServedBy};

use crate::redis::{MINUTE, Redis, create, eventually, free_port, read};
use crate::stage::{Clients, Nodes, PRIMARIES, alone, client, endpoint, ids, why};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeds_that_are_gone_are_not_missed() {
    let Some(mut nodes) = Nodes::start().await else { return };
    // The others are known by a replica alone.
    let clients = Clients::start(endpoint(&[free_port(), nodes.0[PRIMARIES].port]), 1);
    for id in ids(24) {
        assert_eq!(clients.create(&id, "1").await, ServedBy::Redis, "{id}");
    }
    nodes.0[PRIMARIES].kill();
    for node in &nodes.0[..PRIMARIES] {
        let _: u64 = node.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    }
    for id in ids(24) {
        eventually("the nodes that were named last are asked", || async {
            clients.update(&id, "2").await.served_by == ServedBy::Redis
        })
        .await;
    }
}

#[tokio::test]
async fn a_seed_that_is_no_cluster_is_told_and_memory_serves() {
    let Some(redis) = Redis::start().await else { return };
    let told = client(endpoint(&[redis.port]));
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Local);
    told.client.force_breaker(Force::Closed);
    let because = why(&told).await;
    let expected = "no connection: no node of 1 says who holds the keys: it is no node of a cluster";
    assert_eq!(because.to_string(), expected);
}

#[tokio::test]
async fn a_slot_that_nobody_holds_is_told_and_used_as_soon_as_somebody_does() {
    let Some(node) = alone().await else { return };
    let told = client(endpoint(&[node.port]));
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Local);
    told.client.force_breaker(Force::Closed);
    assert_eq!(why(&told).await, CallError::NotNow("CLUSTERDOWN".to_owned()));
    node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    told.clean().await;
    assert_eq!(read(&told, "a").await.as_deref(), Some("1"));
}

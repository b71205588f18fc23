//! Whom a client asks where its keys are, and what it says when nobody knows.

use squall_client::settings::KeepaliveSettings;
use squall_client::{CallError, Clock, Endpoint, Lookup, ServedBy, Settings, TlsOptions};

use crate::redis::{MINUTE, Redis, Told, create, eventually, free_port, read, told};
use crate::stage::{Clients, Nodes, PRIMARIES, alone, endpoint, ids, patient};

/// A node that takes every key.
async fn whole() -> Option<Redis> {
    let node = alone().await?;
    node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    // One that has just started refuses every key for two seconds.
    eventually("it takes keys", || async {
        node.ask::<String>(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok")
    })
    .await;
    Some(node)
}

/// A client all of whose keys are in one slot.
fn client(endpoint: Endpoint) -> Told {
    let settings = Settings { key_prefix: "session:{a}:".to_owned(), ..patient() };
    told(endpoint, 1, &settings, Clock::system())
}

fn parsed(url: &str) -> Endpoint {
    Endpoint::parse(url, &KeepaliveSettings::default(), &TlsOptions::default()).expect("an address")
}

async fn why(told: &Told) -> CallError {
    match told.client.get("unknown").await.expect("it can be asked") {
        Lookup::Unknown { because } => because,
        other => panic!("{other:?}"),
    }
}

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
    told.client.force_breaker(squall_client::Force::Closed);
    let because = why(&told).await;
    let expected = "no connection: no node of 1 says who holds the keys: it is no node of a cluster";
    assert_eq!(because.to_string(), expected);
}

#[tokio::test]
async fn a_slot_that_nobody_holds_is_told_and_used_as_soon_as_somebody_does() {
    let Some(node) = alone().await else { return };
    let told = client(endpoint(&[node.port]));
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Local);
    told.client.force_breaker(squall_client::Force::Closed);
    assert_eq!(why(&told).await, CallError::NotNow("CLUSTERDOWN".to_owned()));
    node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    told.clean().await;
    assert_eq!(read(&told, "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn an_address_names_the_nodes_and_the_login_for_all_of_them() {
    let Some(node) = whole().await else { return };
    let (port, mut side) = (node.port, node.side().await);
    ::redis::cmd("CONFIG")
        .arg(&["SET", "requirepass", "open"])
        .exec_async(&mut side)
        .await
        .expect("a password");
    let wrong = client(parsed(&format!("redis-cluster://:wrong@127.0.0.1:{port}")));
    assert_eq!(create(&wrong, "a", "1", MINUTE).await, ServedBy::Local);
    wrong.client.force_breaker(squall_client::Force::Closed);
    assert_eq!(why(&wrong).await, CallError::Auth("WRONGPASS".to_owned()));
    let right = client(parsed(&format!("redis-cluster://:open@127.0.0.1:{},127.0.0.1:{port}", free_port())));
    assert_eq!(create(&right, "a", "2", MINUTE).await, ServedBy::Redis);
}

#[tokio::test]
async fn a_user_needs_no_more_of_a_cluster_than_to_ask_where_its_keys_are() {
    let Some(node) = whole().await else { return };
    let told = client(parsed(&format!("redis-cluster://some:pw@127.0.0.1:{}", node.port)));
    node.ask::<()>(&["ACL", "SETUSER", "some", "on", ">pw", "~*", "+@all", "-cluster"]).await;
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Local);
    told.client.force_breaker(squall_client::Force::Closed);
    assert_eq!(why(&told).await, CallError::Auth("NOPERM".to_owned()));
    node.ask::<()>(&["ACL", "SETUSER", "some", "+cluster|keyslot", "+cluster|slots"]).await;
    told.clean().await;
    assert_eq!(create(&told, "b", "1", MINUTE).await, ServedBy::Redis);
}

//! A primary that ends, or stands still: its shards are served by memory until its replica takes over, and no others.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_client::ServedBy;

use crate::redis::Redis;
use crate::stage::{Clients, Nodes, PRIMARIES, ids};

/// Longer than a replica needs to take over on a machine that is busy.
const TAKES_OVER_WITHIN: Duration = Duration::from_secs(30);

/// Updates all sessions again and again, until Redis has taken all after memory took some. What was acknowledged last.
async fn write_until_it_is_over(
    clients: &Clients,
    away: &[usize],
    ids: &[String],
) -> BTreeMap<String, String> {
    let (mut last, mut locally) = (BTreeMap::new(), 0);
    let writing = async {
        for round in 0.. {
            let mut all_at_redis = true;
            for id in ids {
                let text = format!("{id} in round {round}");
                let ack = clients.update(id, &text).await;
                last.insert(id.clone(), text);
                let shard = clients.sharded.shard_of(id);
                assert!(
                    ack.served_by == ServedBy::Redis || away.contains(&shard),
                    "{id} of shard {shard}, whose node is well, was not taken by redis but by {:?}",
                    ack.level
                );
                locally += usize::from(ack.served_by == ServedBy::Local);
                all_at_redis &= ack.served_by == ServedBy::Redis;
            }
            if all_at_redis && locally > 0 {
                return;
            }
        }
    };
    tokio::time::timeout(TAKES_OVER_WITHIN, writing).await.expect("a replica takes over");
    last
}

async fn goes_away(strike: impl FnOnce(&mut Redis)) {
    let Some(mut nodes) = Nodes::start().await else { return };
    let (clients, ids) = (nodes.clients(1), ids(48));
    for id in &ids {
        assert_eq!(clients.create(id, "before").await, ServedBy::Redis, "{id}");
    }
    let away = nodes.shards_of(0).await;
    strike(&mut nodes.0[0]);
    let last = write_until_it_is_over(&clients, &away, &ids).await;
    let role: String = nodes.0[PRIMARIES].ask(&["INFO", "replication"]).await;
    assert!(role.contains("role:master"), "its replica has not taken over: {role}");
    clients.clean().await;
    for shard in 0..clients.sharded.shards().len() {
        assert_eq!(clients.outages(shard) > 0, away.contains(&shard), "of shard {shard}; {away:?} were away");
    }
    // Another instance finds what was acknowledged last, whoever did that. Its seeds know of the new primary.
    let other = nodes.clients(2);
    for (id, text) in &last {
        assert_eq!(other.read(id).await.as_ref(), Some(text), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_takes_its_shards_along_and_no_others_and_nothing_acknowledged_is_lost() {
    goes_away(Redis::kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_stands_still_takes_its_shards_along_and_no_others_and_nothing_acknowledged_is_lost() {
    goes_away(|node| node.pause()).await;
}

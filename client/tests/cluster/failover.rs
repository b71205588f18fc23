//! A primary that ends, or stands still: its shards are served by memory until its replica takes over, and no others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use squall_client::{Force, ServedBy};
use tokio::task::JoinSet;

use crate::redis::{Redis, eventually};
use crate::stage::{Clients, Nodes, PRIMARIES, SHARDS};

/// Longer than a replica needs to take over on a machine that is busy.
const TAKES_OVER_WITHIN: Duration = Duration::from_secs(30);

/// Memory answers so fast that nothing else would come to its turn.
const PACE: Duration = Duration::from_millis(20);

/// Updates the sessions of a shard again and again; once it is over, until Redis has taken each. What was acknowledged last.
async fn write(
    clients: &Clients,
    ids: Vec<String>,
    well: bool,
    over: &AtomicBool,
) -> BTreeMap<String, String> {
    let (mut last, mut pace) = (BTreeMap::new(), tokio::time::interval(PACE));
    for round in 0.. {
        pace.tick().await;
        let (was_over, mut all_at_redis) = (over.load(Ordering::SeqCst), true);
        for id in &ids {
            let text = format!("{id} in round {round}");
            let ack = clients.update(id, &text).await;
            last.insert(id.clone(), text);
            all_at_redis &= ack.served_by == ServedBy::Redis;
            assert!(all_at_redis || !well, "{id}, whose node is well, is not at redis: {ack:?}");
        }
        if was_over && all_at_redis {
            break;
        }
    }
    last
}

/// How a primary goes away, and comes back.
#[derive(Clone, Copy)]
enum Away {
    Killed,
    StandingStill,
}

impl Away {
    fn strike(self, node: &mut Redis) {
        match self {
            Self::Killed => node.kill(),
            Self::StandingStill => node.pause(),
        }
    }

    async fn heal(self, node: &mut Redis) {
        match self {
            Self::Killed => node.start_again().await,
            Self::StandingStill => node.go_on(),
        }
    }
}

async fn goes_away(how: Away) {
    let Some(mut nodes) = Nodes::start().await else { return };
    let clients = nodes.clients(1);
    let away = nodes.shards_of(0).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut writing = JoinSet::new();
    for shard in 0..clients.sharded.shards().len() {
        let (clients, over, well) = (clients.clone(), Arc::clone(&over), !away.contains(&shard));
        let ids = clients.ids_in(shard, 6);
        for id in &ids {
            assert_eq!(clients.create(id, "before").await, ServedBy::Redis, "{id}");
        }
        writing.spawn(async move { write(&clients, ids, well, &over).await });
    }
    how.strike(&mut nodes.0[0]);
    eventually("its replica takes over", || async {
        nodes.0[PRIMARIES].ask::<String>(&["INFO", "replication"]).await.contains("role:master")
    })
    .await;
    over.store(true, Ordering::SeqCst);
    let written = tokio::time::timeout(TAKES_OVER_WITHIN, writing.join_all()).await;
    clients.clean().await;
    for shard in 0..clients.sharded.shards().len() {
        assert_eq!(clients.outages(shard) > 0, away.contains(&shard), "of shard {shard}; {away:?} were away");
    }
    // It comes back, and takes itself for the primary until it hears of the other.
    how.heal(&mut nodes.0[0]).await;
    // Another instance finds what was acknowledged last, whoever did that.
    let other = nodes.clients(2);
    for (id, text) in written.expect("redis serves again").iter().flatten() {
        assert_eq!(other.read(id).await.as_ref(), Some(text), "{id}");
    }
    eventually("it is a replica", || async {
        nodes.0[0].ask::<String>(&["INFO", "replication"]).await.contains("role:slave")
    })
    .await;
    for id in &clients.ids_in(away[0], 6) {
        assert_eq!(clients.update(id, "after").await.served_by, ServedBy::Redis, "{id}");
        assert_eq!(other.read(id).await.as_deref(), Some("after"), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_takes_its_shards_along_and_no_others_and_nothing_acknowledged_is_lost() {
    goes_away(Away::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_stands_still_takes_its_shards_along_and_no_others_and_nothing_acknowledged_is_lost() {
    goes_away(Away::StandingStill).await;
}

#[tokio::test]
async fn what_a_replica_lacks_that_takes_over_is_brought_again_by_whoever_knows_it() {
    let Some(mut nodes) = Nodes::start().await else { return };
    let clients = nodes.clients(1);
    let shard = nodes.shards_of(0).await[0];
    let ids = clients.ids_in(shard, 20);
    for id in &ids {
        assert_eq!(clients.create(id, "acknowledged").await, ServedBy::Redis, "{id}");
    }
    clients.sharded.shards()[shard].force_breaker(Force::Open);
    nodes.0[0].kill();
    let replica = &nodes.0[PRIMARIES];
    replica.ask::<()>(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
    // As if it had not had them yet, which may be so of the last.
    for id in &ids {
        let _: u64 = replica.ask(&["DEL", &format!("session:{{{shard}/{SHARDS}}}:{id}")]).await;
    }
    clients.sharded.shards()[shard].force_breaker(Force::Auto);
    eventually("it has all of them again", || async {
        nodes.clients(2).sharded.shards()[shard].count().await == Ok(20)
    })
    .await;
    let other = nodes.clients(3);
    for id in &ids {
        assert_eq!(other.read(id).await.as_deref(), Some("acknowledged"), "{id}");
    }
}

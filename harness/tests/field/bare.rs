//! The same faults on redis-rs' `ConnectionManager`, bare, and on Redis itself: they show that the faults bite.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use squall::fault::Act;

use crate::calls::{Answer, Calls};
use crate::demoted::pair;
use crate::stage::Stage;
use crate::table::{Row, Table};

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(5);

/// What is named in the table.
const NAME: &str = "redis-rs 1.8.1 `ConnectionManager`";

/// Its own default: half a second for a reply.
async fn manager(stage: &Stage) -> ConnectionManager {
    let client = redis::Client::open(("127.0.0.1", stage.port())).unwrap();
    ConnectionManager::new_with_config(client, ConnectionManagerConfig::new()).await.unwrap()
}

/// Writes for a while; the deadline is its response timeout.
async fn write_for_a_while(stage: &Stage, manager: &ConnectionManager) -> Calls {
    let (mut calls, since) = (Calls::default(), stage.clock.now());
    while stage.clock.now().since(since) < WATCHED {
        let mut manager = manager.clone();
        let writing = async {
            let set: redis::RedisResult<()> =
                redis::cmd("SET").arg("k").arg("v").query_async(&mut manager).await;
            if set.is_ok() { Answer::Redis } else { Answer::Failed }
        };
        calls.make(&stage.clock, Duration::from_millis(500), writing).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    calls
}

pub(crate) async fn a_silent_connection_is_never_given_up(table: Table) {
    let stage = Stage::start().await;
    let manager = manager(&stage).await;
    let before = stage.opened();
    let silent = stage.begin(Act::HalfOpen).await;
    let calls = write_for_a_while(&stage, &manager).await;
    let mut row = calls.row("V1", NAME, silent.since);
    row.reconnects = stage.opened() - before;
    never_recovers(row, &calls, table);
    stage.end(&silent).await;
    stage.close().await;
}

pub(crate) async fn a_demoted_primary_is_never_left(table: Table) {
    let (old, new) = pair().await;
    let manager = manager(&old).await;
    let before = old.opened();
    new.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    old.move_to(&new);
    let demoted = old.clock.now();
    old.ask::<()>(&["REPLICAOF", "127.0.0.1", &new.server_port().to_string()]).await;
    let calls = write_for_a_while(&old, &manager).await;
    let mut row = calls.row("V2", NAME, demoted);
    row.reconnects = old.opened() - before;
    never_recovers(row, &calls, table);
    old.close().await;
    new.close().await;
}

fn never_recovers(mut row: Row, calls: &Calls, table: Table) {
    row.note = "watched for 5 s".to_owned();
    let reconnects = row.reconnects;
    table.add(row);
    assert_eq!(
        (calls.first, calls.failed, reconnects),
        (None, calls.made, 0),
        "it never recovers: {calls:?}"
    );
}

pub(crate) async fn keepttl_on_a_missing_key_makes_it_immortal(table: Table) {
    let stage = Stage::start().await;
    let mut immortal = 0;
    for command in [["SET", "a", "v", "KEEPTTL"].as_slice(), &["SET", "b", "v"], &["HSET", "c", "field", "v"]]
    {
        let key = command[1];
        stage.ask::<()>(&["SET", key, "v", "PX", "1"]).await;
        crate::stage::eventually("it has expired", || async {
            stage.ask::<i64>(&["EXISTS", key]).await == 0
        })
        .await;
        stage.ask::<redis::Value>(command).await;
        immortal += u64::from(stage.ask::<i64>(&["PTTL", key]).await == -1);
    }
    let client = "Redis 7.0.15 with `SET KEEPTTL`, `SET`, `HSET` after the expiry".to_owned();
    let note = format!("{immortal} of 3 keys live for ever");
    table.add(Row { fault: "V11", client, calls: 3, note, ..Row::default() });
    assert_eq!(immortal, 3);
    stage.close().await;
}

//! A primary is demoted while clients are connected: it goes on answering, and refuses writes. (V2)

use std::time::Duration;

use squall::history::{ReplyKind, Wire};
use squall_client::core::breaker::State;
use squall_client::{Event, Lookup, Profile, Settings};

use crate::calls::{Answer, Calls, create, update};
use crate::stage::{Client, SLACK, Stage, eventually};
use crate::table::Table;

/// A primary and its replica, in step.
pub(crate) async fn pair() -> (Stage, Stage) {
    let (old, new) = (Stage::start().await, Stage::start().await);
    new.ask::<()>(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await;
    old.ask::<()>(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await;
    new.ask::<()>(&["REPLICAOF", "127.0.0.1", &old.server_port().to_string()]).await;
    in_step(&new).await;
    (old, new)
}

async fn in_step(replica: &Stage) {
    eventually("the replica is in step", || async {
        replica.ask::<String>(&["INFO", "replication"]).await.contains("master_link_status:up")
    })
    .await;
}

/// Writes until Redis takes one.
async fn write_until_redis_takes_it(stage: &Stage, client: &Client, settings: &Settings) -> Calls {
    let mut calls = Calls::default();
    let writing = async {
        while calls.make(&stage.clock, settings.deadline, update(&client.sessions, "s")).await
            != Answer::Redis
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let written = tokio::time::timeout(Duration::from_secs(60), writing).await;
    assert!(written.is_ok(), "redis takes writes again within a minute");
    calls
}

fn refused(stage: &Stage) -> u64 {
    stage.count(|what| matches!(what, Wire::Reply { kind: ReplyKind::Error(code) } if code == "READONLY"))
}

/// The name leads to the new primary at once; only who connects anew notices.
pub(crate) async fn writes_reach_the_new_primary_on_a_new_connection(table: Table) {
    let settings = Profile::Chatbot.settings();
    let (old, new) = pair().await;
    let client = old.client(&settings, 1);
    create(&client.sessions, "s").await;
    eventually("the replica has it", || async { new.ask::<i64>(&["EXISTS", "session:s"]).await == 1 }).await;
    let before = old.opened();
    new.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    old.move_to(&new);
    let demoted = old.clock.now();
    old.ask::<()>(&["REPLICAOF", "127.0.0.1", &new.server_port().to_string()]).await;
    let calls = write_until_redis_takes_it(&old, &client, &settings).await;
    let mut row = calls.row("V2", "chatbot, one caller who writes", demoted);
    row.reconnects = old.opened() - before;
    row.note = format!("READONLY {} times", refused(&old));
    let recovery = row.recovery[0];
    table.add(row);
    assert_eq!((calls.failed, calls.wrong, calls.late), (0, 0, 0), "{calls:?}");
    // One refusal gives the connection up; the next attempt comes after one wait, on a new connection.
    let bound = settings.retry.base + settings.retry.cap + SLACK;
    assert!(recovery <= bound, "{recovery:?}");
    assert!(
        refused(&old) <= 2 && old.opened() - before == 1,
        "one refusal, or two that crossed, and one new connection"
    );
    assert!(
        matches!(client.sessions.get("s").await, Ok(Lookup::Found { session, .. }) if session.value == "s")
    );
    old.close().await;
    new.close().await;
}

/// The name stays: every new connection leads to the demoted node again, and is refused at the handshake.
pub(crate) async fn a_name_that_stays_on_the_demoted_node_brings_no_storm(table: Table) {
    const LASTS: Duration = Duration::from_secs(5);
    let mut settings = Profile::Chatbot.settings();
    settings.breaker.cool_down = Duration::from_millis(500);
    let (old, new) = pair().await;
    let client = old.client(&settings, 1);
    create(&client.sessions, "s").await;
    let before = old.opened();
    new.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    let demoted = old.clock.now();
    old.ask::<()>(&["REPLICAOF", "127.0.0.1", &new.server_port().to_string()]).await;
    let mut calls = Calls::default();
    while old.clock.now().since(demoted) < LASTS {
        calls.make(&old.clock, settings.deadline, update(&client.sessions, "s")).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (refused, dials) = (refused(&old), old.opened() - before);
    let trips = client.count(|event| matches!(event, Event::Breaker { to: State::Open, .. }));
    old.move_to(&new);
    let moved = old.clock.now();
    let after = write_until_redis_takes_it(&old, &client, &settings).await;
    let mut row = calls.row("V2", "chatbot with a cool-down of 0.5 s, the name stays for 5 s", demoted);
    row.recovery = after.first.map(|first| first.since(moved)).into_iter().collect();
    row.reconnects = dials;
    row.note = format!("READONLY {refused} times, the breaker opened {trips} times");
    table.add(row);
    assert_eq!((calls.failed, calls.wrong, calls.late, calls.first), (0, 0, 0, None), "{calls:?}");
    // The first refusal costs the connection; each next one waits its turn and is refused at its handshake, as is that of each probe.
    assert!(dials <= (trips + 1) * 4, "{dials} connections, {trips} trips");
    assert!(refused <= (trips + 1) * 4, "{refused} refusals, {trips} trips");
    old.close().await;
    new.close().await;
}

//! No place is left: as many calls are in flight as may be, and none of them ends. (V8)

use std::sync::Arc;
use std::time::Duration;

use squall::fault::{Act, ServerAct};
use squall::history::Wire;
use squall_client::{CallError, Lookup, Settings};
use tokio::task::JoinSet;

use crate::calls::{Answer, Calls, create, get};
use crate::stage::{SLACK, Stage, eventually, within};
use crate::table::Table;

const PLACES: u32 = 16;

pub(crate) async fn who_finds_no_place_is_told_so_at_once(table: Table) {
    let mut settings = Settings::default();
    settings.pool.in_flight = PLACES;
    // The places stay taken for two seconds, which the breaker must not end.
    settings.operation_timeout = settings.deadline;
    settings.breaker.enabled = false;
    // The client's own look after Redis would take one of them.
    settings.resync.enabled = false;
    let stage = Arc::new(Stage::start().await);
    let client = stage.client(&settings, 1);
    create(&client.sessions, "s").await;
    let before = sent(&stage);
    let paused = stage.begin(Act::Server(ServerAct::Pause)).await;
    let mut taking = JoinSet::new();
    for _ in 0..PLACES {
        let (stage, client, deadline) = (Arc::clone(&stage), client.clone(), settings.deadline);
        taking.spawn(async move {
            let mut calls = Calls::default();
            calls.make(&stage.clock, deadline, get(&client.sessions, "s")).await;
            calls
        });
    }
    eventually("all places are taken", || async { sent(&stage) - before == u64::from(PLACES) }).await;
    let (mut more, mut told) = (Calls::default(), 0);
    for _ in 0..200 {
        let asking = async {
            told += u64::from(overloaded(&client.sessions.get("other").await));
            Answer::Failed
        };
        more.make(&stage.clock, settings.deadline, asking).await;
    }
    // What is known here is served all the same.
    let mut known = Calls::default();
    for _ in 0..200 {
        known.make(&stage.clock, settings.deadline, get(&client.sessions, "s")).await;
    }
    let mut waiting = Calls::default();
    while let Some(taken) = taking.join_next().await {
        waiting = waiting.and(&taken.unwrap());
    }
    stage.end(&paused).await;
    let ended = stage.clock.now();
    within(SLACK + settings.connect_timeout, "there is room again", || async {
        get(&client.sessions, "s").await == Answer::Redis
    })
    .await;
    let all = more.and(&known).and(&waiting);
    let mut row = all.row(
        "V8",
        &format!("default settings with {PLACES} calls in flight, the server stands still"),
        paused.since,
    );
    row.recovery = vec![stage.clock.now().since(ended)];
    row.note = format!("{told} told as `Overloaded`, after {:.3} s at most", more.longest.as_secs_f64());
    table.add(row);
    assert_eq!((told, known.local, known.failed), (200, 200, 0), "{more:?} {known:?}");
    assert!(more.longest <= SLACK, "{:?}: they wait for nothing", more.longest);
    assert!(
        waiting.longest <= settings.deadline + SLACK && waiting.longest >= Duration::from_secs(1),
        "{waiting:?}"
    );
    assert_eq!((all.late, all.wrong), (0, 0), "{all:?}");
    Arc::into_inner(stage).unwrap().close().await;
}

/// How many calls about the session have left the client.
fn sent(stage: &Stage) -> u64 {
    stage.count(|what| matches!(what, Wire::Command { key: Some(key), .. } if key == "session:s"))
}

fn overloaded(answer: &Result<Lookup, squall_client::SessionError>) -> bool {
    matches!(answer, Ok(Lookup::Unknown { because: CallError::Overloaded }))
}

//! The breaker is half-open: who reaches Redis, and what if the probe hangs. (V9, V10)

use std::sync::Arc;
use std::time::Duration;

use squall::fault::{Act, Bend};
use squall::history::Wire;
use squall_client::core::breaker::State;
use squall_client::{Event, Profile, Settings};
use tokio::task::JoinSet;

use crate::calls::{Answer, Calls, create, get};
use crate::stage::{Client, SLACK, Stage, eventually, within};
use crate::table::Table;

/// What a connection that opens says before anybody uses it.
const GREETING: [&str; 6] = ["HELLO", "AUTH", "SELECT", "CLIENT", "TIME", "INFO"];

fn entered(client: &Client, state: State) -> u64 {
    client.count(|event| matches!(event, Event::Breaker { to, .. } if *to == state))
}

fn settings() -> Settings {
    let mut settings = Profile::Chatbot.settings();
    settings.breaker.cool_down = Duration::from_secs(1);
    settings.breaker.cool_down_max = Duration::from_secs(1);
    settings
}

/// How many commands have left clients that somebody asked for, and how many probes.
fn commands(stage: &Stage) -> (u64, u64) {
    let left =
        |such: fn(&str) -> bool| stage.count(|what| matches!(what, Wire::Command { name, .. } if such(name)));
    (left(|name| name != "PING" && !GREETING.contains(&name)), left(|name| name == "PING"))
}

/// Has the breaker open, by a fault that is still on.
async fn open(stage: &Stage, client: &Client, fault: Act) -> crate::stage::Struck {
    let struck = stage.begin(fault).await;
    eventually("the breaker opens", || async {
        get(&client.sessions, "s").await;
        entered(client, State::Open) > 0
    })
    .await;
    struck
}

pub(crate) async fn of_many_callers_none_reaches_redis_at_half_open(table: Table) {
    const CALLERS: u64 = 500;
    let settings = settings();
    let stage = Arc::new(Stage::start().await);
    let client = stage.client(&settings, 1);
    create(&client.sessions, "s").await;
    let hole = open(&stage, &client, Act::Bend(Bend::Hold)).await;
    // Slow from now on, so that it is half-open for a while.
    let slow = stage
        .begin(Act::Bend(Bend::Latency { delay: Duration::from_millis(150), jitter: Duration::ZERO }))
        .await;
    stage.end(&hole).await;
    let since = stage.clock.now();
    eventually("it is half-open", || async { entered(&client, State::HalfOpen) > 0 }).await;
    let before = (commands(&stage), stage.opened());
    let mut asking = JoinSet::new();
    for _ in 0..CALLERS {
        let (stage, client, deadline) = (Arc::clone(&stage), client.clone(), settings.deadline);
        asking.spawn(async move {
            let mut calls = Calls::default();
            calls.make(&stage.clock, deadline, get(&client.sessions, "s")).await;
            calls
        });
    }
    let mut calls = Calls::default();
    while let Some(asked) = asking.join_next().await {
        calls = calls.and(&asked.unwrap());
    }
    // All have been answered while it was half-open.
    let still = entered(&client, State::Closed) == 0;
    let during = commands(&stage);
    eventually("it is closed", || async { entered(&client, State::Closed) > 0 }).await;
    let probes = commands(&stage).1 - before.0.1;
    within(settings.deadline + SLACK, "redis serves", || async {
        get(&client.sessions, "s").await == Answer::Redis
    })
    .await;
    let mut row = calls.row("V9", "chatbot with a cool-down of 1 s, 500 callers at half-open", since);
    row.recovery = vec![stage.clock.now().since(since)];
    row.reconnects = stage.opened() - before.1;
    let reached = during.0 - before.0.0;
    row.note = format!("{reached} calls and {probes} probe reached Redis");
    table.add(row);
    assert!(still, "they were asked while it was half-open");
    assert_eq!((reached, probes), (0, 1));
    assert_eq!((calls.local, calls.failed, calls.wrong, calls.late), (CALLERS, 0, 0, 0), "{calls:?}");
    stage.end(&slow).await;
    Arc::into_inner(stage).unwrap().close().await;
}

pub(crate) async fn a_probe_that_hangs_is_followed_by_others(table: Table) {
    const PROBES: u32 = 4;
    let mut settings = settings();
    settings.breaker.probe_lease = Duration::from_millis(500);
    let stage = Stage::start().await;
    let client = stage.client(&settings, 1);
    create(&client.sessions, "s").await;
    let before = stage.opened();
    // Connections open, and nothing ever comes on them.
    let hole = open(&stage, &client, Act::Bend(Bend::Hold)).await;
    let mut calls = Calls::default();
    let probed = async {
        // Each probe that is given up opens it again.
        while entered(&client, State::Open) < 1 + u64::from(PROBES) {
            calls.make(&stage.clock, settings.deadline, get(&client.sessions, "s")).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let breaker = &settings.breaker;
    let cycle = breaker.probe_lease + breaker.cool_down_max.mul_f64(1.0 + breaker.jitter) + SLACK;
    let probed = tokio::time::timeout(cycle * PROBES, probed).await;
    assert!(probed.is_ok(), "only {} probes", entered(&client, State::HalfOpen));
    let dials = stage.opened() - before;
    stage.end(&hole).await;
    let healed = stage.clock.now();
    within(cycle + settings.deadline, "it closes, and redis serves", || async {
        get(&client.sessions, "s").await == Answer::Redis
    })
    .await;
    let mut row = calls.row("V10", "chatbot with a cool-down of 1 s and a lease of 0.5 s", healed);
    row.recovery = vec![stage.clock.now().since(healed)];
    row.reconnects = dials;
    row.note = format!("{PROBES} probes, each given up after its lease");
    table.add(row);
    assert_eq!((calls.failed, calls.wrong, calls.late), (0, 0, 0), "{calls:?}");
    assert!(dials <= entered(&client, State::HalfOpen) + 2, "one connection a probe");
    stage.close().await;
}

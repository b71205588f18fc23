//! Connections that are open go silent: what they carry is lost, and nothing tells so. New ones work. (V1, V6, V7)

use std::sync::Arc;
use std::time::Duration;

use squall::fault::{Act, Bend};
use squall::history::Wire;
use squall_client::core::breaker::State;
use squall_client::settings::Protocol;
use squall_client::{Event, Profile, Settings, Time};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::calls::{Answer, Calls, create, get};
use crate::stage::{Client, SLACK, Stage, eventually, within};
use crate::table::{Row, Table};

/// One caller, who asks again as soon as there is an answer, until it comes from Redis.
async fn ask_until_redis_answers(stage: &Stage, client: &Client, settings: &Settings, id: &str) -> Calls {
    let mut calls = Calls::default();
    let asking = async {
        while calls.make(&stage.clock, settings.deadline, get(&client.sessions, id)).await != Answer::Redis {
            // An answer of the local copy takes no time.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(60), asking).await;
    assert!(asked.is_ok(), "redis answers again within a minute");
    calls
}

/// How long it may take to notice that connections are silent, and to get on with another one: an attempt that runs out of time,
/// the longest wait before the next, and a new connection, which takes no time.
fn noticed(settings: &Settings) -> Duration {
    settings.operation_timeout * settings.drop_after_timeouts + settings.retry.cap + SLACK
}

fn opened(client: &Client) -> bool {
    client.count(|event| matches!(event, Event::Breaker { to: State::Open, .. })) > 0
}

/// What one caller saw.
struct Seen {
    calls: Calls,
    since: Time,
    reconnects: u64,
}

/// The client looks after Redis once a second by itself. Whether that look times out together with a caller's attempts depends on
/// when the connections went silent, so each case is tried at several moments, each with a server of its own.
const MOMENTS: u32 = 5;

async fn one_caller(table: &Table, fault: &'static str, name: &str, settings: &Settings, pool: u64) {
    let mut trying = JoinSet::new();
    for moment in 0..MOMENTS {
        let settings = settings.clone();
        trying.spawn(async move {
            one_caller_at(Duration::from_secs(1) * moment / MOMENTS, &settings, pool).await
        });
    }
    let (mut all, mut row) = (Calls::default(), Row::default());
    while let Some(tried) = trying.join_next().await {
        let Seen { calls, since, reconnects } = tried.unwrap();
        row.recovery.extend(calls.first.map(|first| first.since(since)));
        row.reconnects = row.reconnects.max(reconnects);
        all = all.and(&calls);
    }
    let Row { recovery, reconnects, .. } = row;
    let longest = all.longest.as_secs_f64();
    let note = format!("{MOMENTS} times; longest call {longest:.2} s");
    table.add(Row { recovery, reconnects, note, ..all.row(fault, name, Time::START) });
    assert_eq!((all.failed, all.wrong, all.late), (0, 0, 0), "{all:?}");
}

async fn one_caller_at(moment: Duration, settings: &Settings, pool: u64) -> Seen {
    let stage = Arc::new(Stage::start().await);
    let client = stage.client(settings, 1);
    create(&client.sessions, "s").await;
    if pool > 1 {
        fill_the_pool(&stage, &client, pool).await;
    }
    tokio::time::sleep(moment).await;
    let before = stage.opened();
    let silent = stage.begin(Act::HalfOpen).await;
    let calls = ask_until_redis_answers(&stage, &client, settings, "s").await;
    let (reconnects, opened) = (stage.opened() - before, opened(&client));
    let recovery = calls.first.unwrap().since(silent.since);
    // One attempt of the caller's and the client's own look may time out. That is no reason for three failures in a row.
    assert!(!opened, "the breaker opened because one connection was silent");
    assert!(recovery <= noticed(settings), "{recovery:?}");
    assert_eq!(reconnects, 1, "one new connection is enough");
    stage.end(&silent).await;
    Arc::into_inner(stage).unwrap().close().await;
    Seen { calls, since: silent.since, reconnects }
}

pub(crate) async fn one_caller_is_served_again(table: Table) {
    one_caller(&table, "V1", "chatbot, one caller", &Profile::Chatbot.settings(), 1).await;
}

pub(crate) async fn one_caller_is_served_again_in_resp3_too(table: Table) {
    let settings = Settings { protocol: Protocol::Resp3, ..Profile::Chatbot.settings() };
    one_caller(&table, "V1", "chatbot in RESP3, one caller", &settings, 1).await;
}

pub(crate) async fn one_caller_with_default_settings_is_served_again(table: Table) {
    one_caller(&table, "V6", "default settings, one caller", &Settings::default(), 1).await;
}

/// The first connection that is given up takes those along that were silent too.
pub(crate) async fn a_pool_that_has_gone_silent_is_replaced_as_a_whole(table: Table) {
    let settings = Settings::default();
    let pool = settings.pool.connections.into();
    one_caller(&table, "V7", "default settings, a pool of 4, one caller", &settings, pool).await;
}

/// Many callers at once: the calls of three of them time out together, which opens the breaker.
pub(crate) async fn many_callers_are_served_again_after_the_cool_down(table: Table) {
    let mut settings = Profile::Chatbot.settings();
    settings.breaker.cool_down = Duration::from_secs(2);
    let stage = Arc::new(Stage::start().await);
    let client = stage.client(&settings, 1);
    for id in 0..20 {
        create(&client.sessions, &format!("s{id}")).await;
    }
    let before = stage.opened();
    let silent = stage.begin(Act::HalfOpen).await;
    let mut asking = JoinSet::new();
    for id in 0..20 {
        let (stage, client, settings) = (Arc::clone(&stage), client.clone(), settings.clone());
        asking.spawn(
            async move { ask_until_redis_answers(&stage, &client, &settings, &format!("s{id}")).await },
        );
    }
    let mut calls = Calls::default();
    while let Some(asked) = asking.join_next().await {
        calls = calls.and(&asked.unwrap());
    }
    let mut row = calls.row("V1", "chatbot with a cool-down of 2 s, 20 callers", silent.since);
    row.reconnects = stage.opened() - before;
    let (recovery, reconnects) = (row.recovery[0], row.reconnects);
    table.add(row);
    assert_eq!((calls.failed, calls.wrong, calls.late), (0, 0, 0), "{calls:?}");
    let cool_down = settings.breaker.cool_down.mul_f64(1.0 + settings.breaker.jitter);
    assert!(recovery <= noticed(&settings) + cool_down, "{recovery:?}");
    assert!(reconnects <= 4, "{reconnects} new connections: a few at most, however many callers");
    stage.end(&silent).await;
    Arc::into_inner(stage).unwrap().close().await;
}

/// A connection is opened when all are busy. So many are kept busy until all are open.
async fn fill_the_pool(stage: &Stage, client: &Client, connections: u64) {
    let slow = stage
        .begin(Act::Bend(Bend::Latency { delay: Duration::from_millis(40), jitter: Duration::ZERO }))
        .await;
    let mut asking = JoinSet::new();
    for _ in 0..200 {
        let client = client.clone();
        asking.spawn(async move { while get(&client.sessions, "s").await == Answer::Redis {} });
    }
    eventually("the pool is full", || async { stage.connections() == connections }).await;
    asking.shutdown().await;
    stage.end(&slow).await;
    // The last thing that a connection asks as it opens is INFO: none is half open when all is answered.
    let asked = || stage.count(|what| matches!(what, Wire::Command { .. }));
    let answered = || stage.count(|what| matches!(what, Wire::Reply { .. }));
    let greeted = || stage.count(|what| matches!(what, Wire::Command { name, .. } if name == "INFO"));
    eventually("it is quiet", || async { greeted() >= connections && asked() == answered() }).await;
}

/// Nothing passes, on old connections or new ones, for longer than the breaker needs to open.
pub(crate) async fn nobody_waits_longer_than_the_deadline_while_nothing_passes(table: Table) {
    const LASTS: Duration = Duration::from_secs(4);
    let settings = Settings::default();
    let stage = Arc::new(Stage::start().await);
    let client = stage.client(&settings, 1);
    create(&client.sessions, "s").await;
    let before = stage.opened();
    let hole = stage.begin(Act::Bend(Bend::Drop)).await;
    let mut asking = JoinSet::new();
    for caller in 0..20 {
        let (stage, client, deadline) = (Arc::clone(&stage), client.clone(), settings.deadline);
        asking.spawn(async move {
            let (mut calls, mut tick) = (Calls::default(), interval(Duration::from_millis(50)));
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let until = stage.clock.now() + LASTS;
            while stage.clock.now() < until {
                tick.tick().await;
                // Half of them ask for what nobody here knows: they cannot be served, but must be told in time.
                let id = if caller % 2 == 0 { "s" } else { "never seen" };
                calls.make(&stage.clock, deadline, get(&client.sessions, id)).await;
            }
            (caller % 2 == 0, calls)
        });
    }
    let (mut known, mut unknown) = (Calls::default(), Calls::default());
    while let Some(asked) = asking.join_next().await {
        let (is_known, calls) = asked.unwrap();
        let sum = if is_known { &mut known } else { &mut unknown };
        *sum = sum.and(&calls);
    }
    let dials = stage.opened() - before;
    stage.end(&hole).await;
    let healed = stage.clock.now();
    let limit =
        settings.breaker.cool_down.mul_f64(1.0 + settings.breaker.jitter) + settings.connect_timeout + SLACK;
    within(limit, "redis serves again", || async { get(&client.sessions, "s").await == Answer::Redis }).await;
    let mut row = known.row("V6", "default settings, nothing passes for 4 s, 10 callers", healed);
    row.recovery = vec![stage.clock.now().since(healed)];
    row.reconnects = dials;
    row.note = format!(
        "longest call {:.2} s; of 10 more callers for an unknown session {} told in time",
        known.longest.as_secs_f64(),
        unknown.made
    );
    table.add(row);
    assert_eq!(
        (known.failed, known.wrong, known.late, unknown.late, unknown.wrong),
        (0, 0, 0, 0, 0),
        "{known:?} {unknown:?}"
    );
    assert_eq!(unknown.failed, unknown.made, "nobody is told that there is no such session");
    assert!(dials <= 8, "{dials} connections");
    Arc::into_inner(stage).unwrap().close().await;
}

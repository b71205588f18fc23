//! A primary, replicas and sentinels: faults strike what they should, each instance has ways of its own, and nothing is left behind.

use std::io::ErrorKind;

use squall::check::Verdict;
use squall::fault::{Act, ServerAct};
use squall::history::Left;
use squall::scenario::Topology;
use squall::subject::{Flaw, Route};
use squall::world::World as _;
use squall::world::local::{Nodes, Redis, RedisUrl};
use squall_client::BoxStream;

use crate::several::{self, Traces, ask, connect_for, finding, judged, of_several};
use crate::stage::{strike, there_is_a_server};

async fn world() -> Option<Nodes> {
    several::world(Topology::Sentinel).await
}

/// Connects an instance to the primary, as its sentinels say.
async fn connect(world: &Nodes, instance: u16) -> std::io::Result<BoxStream> {
    connect_for(world, instance, "").await
}

/// Tries until the primary of the moment answers an instance so.
async fn answers(world: &Nodes, instance: u16, command: &str, expected: &str) {
    several::answers(world, instance, "", command, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_killed_is_replaced_and_comes_back_as_a_replica() {
    let Some(world) = world().await else { return };
    let mut stream = connect(&world, 0).await.unwrap();
    assert_eq!(ask(&mut stream, "SET k old PX 600000").await.unwrap(), "+OK\r\n");
    assert_eq!(ask(&mut stream, "WAIT 2 1500").await.unwrap(), ":2\r\n");
    let kill = of_several(ServerAct::Kill);
    world.begin(0, &kill).await.unwrap();
    let ended = ask(&mut stream, "PING").await.unwrap_err().kind();
    assert_ne!(ended, ErrorKind::TimedOut, "who was connected sees it end");
    answers(&world, 0, "SET k new PX 600000", "+OK").await;
    world.end(0, &kill).await.unwrap();
    // Whoever is in its place has both replicas again, so the old one is one of them.
    answers(&world, 1, "INFO replication", "connected_slaves:2").await;
    answers(&world, 1, "GET k", "new").await;
    assert!(matches!(world.look("k").await.unwrap(), Some(Left::Millis(_))));
    assert_eq!(world.look("nothing").await.unwrap(), None);
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_stands_still_is_replaced() {
    let Some(world) = world().await else { return };
    let pause = of_several(ServerAct::Pause);
    world.begin(0, &pause).await.unwrap();
    answers(&world, 0, "SET k v", "+OK").await;
    world.end(0, &pause).await.unwrap();
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_one_instances_link_is_one_of_all_its_ways_and_of_nobody_elses() {
    let Some(world) = world().await else { return };
    let (mut struck, mut spared) = (connect(&world, 0).await.unwrap(), connect(&world, 1).await.unwrap());
    assert_eq!(ask(&mut struck, "PING").await.unwrap(), "+PONG\r\n");
    assert_eq!(ask(&mut spared, "PING").await.unwrap(), "+PONG\r\n");
    assert_eq!((world.connections(0), world.connections(1)), (1, 1), "sentinels are not counted");
    let refuse = strike(Act::Refuse, &[0]);
    world.begin(0, &refuse).await.unwrap();
    assert!(ask(&mut struck, "PING").await.is_err());
    assert!(connect(&world, 0).await.is_err(), "neither sentinels nor servers are reached");
    let Route::Sentinel { sentinels, connect_to, .. } = world.route(0) else { panic!("there are sentinels") };
    for (host, port) in &sentinels {
        let refused = connect_to(host, *port).unwrap().connect().await.err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    }
    assert_eq!(ask(&mut spared, "PING").await.unwrap(), "+PONG\r\n");
    drop(connect(&world, 1).await.unwrap());
    world.end(0, &refuse).await.unwrap();
    answers(&world, 0, "PING", "+PONG").await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_after_a_close_in_the_middle_of_a_strike_nor_after_a_panic() {
    let Some(first) = world().await else { return };
    let traces = Traces::of(&first);
    let pause = of_several(ServerAct::Pause);
    first.begin(0, &pause).await.unwrap();
    first.close().await.unwrap();
    first.close().await.unwrap();
    traces.assert_gone();
    let Some(second) = world().await else { return };
    let traces = Traces::of(&second);
    let panicked = tokio::spawn(async move {
        let _world = second;
        panic!("on purpose");
    });
    assert!(panicked.await.is_err());
    traces.assert_gone();
}

#[tokio::test]
async fn a_server_of_somebody_elses_is_one() {
    let redis = Redis::Given { url: RedisUrl::parse("redis://127.0.0.1:1").unwrap(), destructive: false };
    assert!(redis.unsupported_nodes().unwrap().contains("--redis-url"));
    assert!(
        several::start(&redis, Topology::Sentinel).await.err().unwrap().to_string().contains("--redis-url")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_several_servers_show_is_found() {
    if !there_is_a_server() {
        return;
    }
    for flaw in Flaw::OF_SEVERAL_SERVERS {
        let scenario = flaw.shown_in().strip_prefix("topology/").unwrap();
        let judgement = judged(scenario, Some(flaw.name())).await;
        let found = finding(&judgement, flaw.check());
        assert_eq!(found.verdict, Verdict::Fail, "{}: {}", flaw.name(), found.says);
    }
}

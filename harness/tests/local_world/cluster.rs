//! A cluster: faults strike one primary, whose keys alone are away, each instance has ways of its own, and nothing is left behind.

use std::io::ErrorKind;

use squall::check::Verdict;
use squall::fault::{Act, ServerAct};
use squall::history::Left;
use squall::scenario::Topology;
use squall::subject::Route;
use squall::world::World as _;
use squall::world::local::Nodes;

use crate::several::{self, Traces, answers, ask, connect_for, finding, judged, of_several};
use crate::stage::{strike, there_is_a_server};

/// Keys of the primary that faults strike.
const STRUCK: &str = "{1/8}";

/// Keys of the two others.
const SPARED: [&str; 2] = ["{0/8}", "{3/8}"];

async fn world() -> Option<Nodes> {
    several::world(Topology::Cluster).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_killed_takes_its_keys_along_and_no_others_until_it_is_replaced() {
    let Some(world) = world().await else { return };
    let mut struck = connect_for(&world, 0, STRUCK).await.unwrap();
    for key in SPARED {
        answers(&world, 0, key, &format!("SET {key} v PX 600000"), "+OK").await;
    }
    assert_eq!(ask(&mut struck, &format!("SET {STRUCK} old PX 600000")).await.unwrap(), "+OK\r\n");
    assert_eq!(ask(&mut struck, "WAIT 1 1500").await.unwrap(), ":1\r\n");
    let kill = of_several(ServerAct::Kill);
    world.begin(0, &kill).await.unwrap();
    let ended = ask(&mut struck, "PING").await.unwrap_err().kind();
    assert_ne!(ended, ErrorKind::TimedOut, "who was connected sees it end");
    assert!(connect_for(&world, 0, STRUCK).await.is_err(), "nobody else has its keys as yet");
    for key in SPARED {
        let mut stream = connect_for(&world, 0, key).await.unwrap();
        assert_eq!(ask(&mut stream, &format!("GET {key}")).await.unwrap(), "$1\r\nv\r\n");
        assert!(matches!(world.look(key).await.unwrap(), Some(Left::Millis(_))));
    }
    answers(&world, 0, STRUCK, &format!("SET {STRUCK} new PX 600000"), "+OK").await;
    world.end(0, &kill).await.unwrap();
    // It is the replica of the one that has its place.
    answers(&world, 1, STRUCK, "INFO replication", "connected_slaves:1").await;
    answers(&world, 1, STRUCK, &format!("GET {STRUCK}"), "new").await;
    assert!(matches!(world.look(STRUCK).await.unwrap(), Some(Left::Millis(_))));
    assert_eq!(world.look("nothing").await.unwrap(), None);
    assert_eq!(world.content(STRUCK).await.unwrap().as_deref(), Some(&b"new"[..]));
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_stands_still_is_replaced_and_the_next_fault_strikes_the_one_in_its_place() {
    let Some(world) = world().await else { return };
    let pause = of_several(ServerAct::Pause);
    world.begin(0, &pause).await.unwrap();
    answers(&world, 0, STRUCK, &format!("SET {STRUCK} v PX 600000"), "+OK").await;
    world.end(0, &pause).await.unwrap();
    let flush = of_several(ServerAct::Flush);
    world.begin(1, &flush).await.unwrap();
    world.end(1, &flush).await.unwrap();
    assert_eq!(world.look(STRUCK).await.unwrap(), None);
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_one_instances_link_is_one_of_its_ways_to_every_node() {
    let Some(world) = world().await else { return };
    let mut spared = connect_for(&world, 1, STRUCK).await.unwrap();
    assert_eq!(ask(&mut spared, "PING").await.unwrap(), "+PONG\r\n");
    let refuse = strike(Act::Refuse, &[0]);
    world.begin(0, &refuse).await.unwrap();
    let Route::Cluster { seeds, connect_to, .. } = world.route(0) else { panic!("there is a cluster") };
    for (host, port) in &seeds {
        let refused = connect_to(host, *port).unwrap().connect().await.err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    }
    assert_eq!(ask(&mut spared, "PING").await.unwrap(), "+PONG\r\n");
    world.end(0, &refuse).await.unwrap();
    answers(&world, 0, STRUCK, "PING", "+PONG").await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_cluster() {
    let Some(world) = world().await else { return };
    let traces = Traces::of(&world);
    world.begin(0, &of_several(ServerAct::Pause)).await.unwrap();
    world.close().await.unwrap();
    traces.assert_gone();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_while_a_primary_is_away_and_never_brought_is_found() {
    if !there_is_a_server() {
        return;
    }
    let judgement = judged("cluster-one-primary-killed", Some("resync-off")).await;
    let lost = finding(&judgement, "I1");
    assert_eq!(lost.verdict, Verdict::Fail, "{}", lost.says);
    for check in ["I12", "I13", "I14"] {
        let found = finding(&judgement, check);
        assert_eq!(found.verdict, Verdict::Skipped);
        assert!(found.says.contains("does not apply: each of 8 shards"), "{}", found.says);
    }
}

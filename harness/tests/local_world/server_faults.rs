//! Faults of the server that leave its process alone: each is what it says, and nothing of it is left when it ends.

use std::io::ErrorKind;
use std::time::Duration;

use squall::fault::{Act, Eviction, ServerAct};
use squall::plan::Strike;
use squall::world::World as _;
use squall::world::local::Local;
use tokio::net::TcpStream;

use crate::stage::{A_WHILE, SOON, ask, connect, end_of, pong, strike, working, world};

/// A fault that lasts for ten seconds, as far as the world is told.
fn server(act: ServerAct) -> Strike {
    Strike { to: 10_000_000_000, ..strike(Act::Server(act), &[]) }
}

async fn says(stream: &mut TcpStream, command: &str) -> String {
    ask(stream, &format!("{command}\r\n"), SOON).await.expect("it answers")
}

async fn setting(world: &Local, name: &str) -> String {
    says(&mut working(world, 0).await, &format!("CONFIG GET {name}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_is_ended_once_and_new_ones_work() {
    let Some(world) = world().await else { return };
    let (mut idle, mut other) = (working(&world, 0).await, working(&world, 1).await);
    let kill = server(ServerAct::KillClients);
    world.begin(0, &kill).await.unwrap();
    assert_ne!(end_of(&mut idle).await, ErrorKind::TimedOut);
    assert_ne!(end_of(&mut other).await, ErrorKind::TimedOut);
    let mut new = working(&world, 0).await;
    world.end(0, &kill).await.unwrap();
    assert_eq!(ask(&mut new, "PING\r\n", SOON).await, pong());
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_and_the_server_runs_on() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    says(&mut stream, "SET gone 1").await;
    let (before, flush) = (world.process_id(), server(ServerAct::Flush));
    world.begin(0, &flush).await.unwrap();
    assert_eq!(world.look("gone").await.unwrap(), None);
    assert_eq!(says(&mut stream, "SET stays 1").await, "+OK\r\n");
    world.end(0, &flush).await.unwrap();
    assert!(world.look("stays").await.unwrap().is_some());
    assert_eq!(world.process_id(), before);
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_goes_at_once_and_settings_are_as_before_in_the_end() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    let value = "x".repeat(10_000);
    for number in 0..200 {
        assert_eq!(says(&mut stream, &format!("SET k{number} {value}")).await, "+OK\r\n");
    }
    let before = (setting(&world, "maxmemory").await, setting(&world, "maxmemory-policy").await);
    let evict = server(ServerAct::Evict { bytes: 1 << 20, policy: Eviction::AllkeysLru });
    world.begin(0, &evict).await.unwrap();
    // Redis evicts when it is told of the limit, a little at a time, and when it is written to.
    assert_eq!(says(&mut stream, &format!("SET new {value}")).await, "+OK\r\n");
    let left: usize = says(&mut stream, "DBSIZE").await.trim_start_matches(':').trim().parse().unwrap();
    assert!((30..130).contains(&left), "{left} keys of 10 kB are left of 1 MiB");
    world.end(0, &evict).await.unwrap();
    let after = (setting(&world, "maxmemory").await, setting(&world, "maxmemory-policy").await);
    assert_eq!(after, before);
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_and_live_ones_stay() {
    let Some(world) = world().await else { return };
    // It is from the side that the limit is set, on a connection that is open.
    world.look("any").await.unwrap();
    let mut live = working(&world, 0).await;
    let full = server(ServerAct::MaxClients { clients: 1 });
    world.begin(0, &full).await.unwrap();
    assert_eq!(says(&mut live, "PING").await, "+PONG\r\n");
    let mut refused = connect(&world, 1).await.unwrap();
    assert_eq!(ask(&mut refused, "", SOON).await.unwrap(), "-ERR max number of clients reached\r\n");
    drop(live);
    // The one that is allowed, once the server has seen that the other is gone.
    let one = async {
        loop {
            let mut stream = connect(&world, 1).await.unwrap();
            if ask(&mut stream, "PING\r\n", SOON).await == pong() {
                return stream;
            }
        }
    };
    let one = tokio::time::timeout(SOON, one).await.expect("one is let in");
    world.end(0, &full).await.unwrap();
    working(&world, 0).await;
    drop(one);
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_makes_it_silent_then_busy_then_free() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    let before = setting(&world, "lua-time-limit").await;
    let script = server(ServerAct::Script { busy_after: Duration::from_millis(600) });
    world.begin(0, &script).await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n", A_WHILE).await, Err(ErrorKind::TimedOut));
    let busy = ask(&mut stream, "", SOON).await.unwrap();
    assert!(busy.starts_with("-BUSY"), "{busy}");
    world.end(0, &script).await.unwrap();
    assert_eq!(says(&mut stream, "PING").await, "+PONG\r\n");
    assert_eq!(setting(&world, "lua-time-limit").await, before);
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_silent_for_longer_than_its_fault_lasts_ends_in_time() {
    let Some(world) = world().await else { return };
    let script = server(ServerAct::Script { busy_after: Duration::from_secs(3600) });
    let script = Strike { to: 300_000_000, ..script };
    world.begin(0, &script).await.unwrap();
    world.end(0, &script).await.unwrap();
    working(&world, 0).await;
    world.close().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_holds_bytes_and_lets_connects_hang_until_it_ends() {
    let Some(world) = world().await else { return };
    let (mut live, mut other) = (working(&world, 0).await, working(&world, 1).await);
    let cut = strike(Act::Unreachable, &[0]);
    for _ in 0..2 {
        world.begin(0, &cut).await.unwrap();
        assert_eq!(ask(&mut live, "PING\r\n", A_WHILE).await, Err(ErrorKind::TimedOut));
        let hangs = tokio::time::timeout(A_WHILE, connect(&world, 0)).await;
        assert!(hangs.is_err(), "{hangs:?}");
        let waits = connect(&world, 0);
        tokio::pin!(waits);
        assert!(tokio::time::timeout(A_WHILE, &mut waits).await.is_err());
        assert_eq!(ask(&mut other, "PING\r\n", SOON).await, pong());
        world.end(0, &cut).await.unwrap();
        assert_eq!(ask(&mut live, "", SOON).await, pong());
        // It asked for a connection in vain, and goes on asking as TCP does.
        let mut late = waits.await.unwrap();
        assert_eq!(ask(&mut late, "PING\r\n", SOON).await, pong());
        working(&world, 0).await;
    }
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_server_answers_reads_alone_and_has_its_data_when_it_is_the_primary_again() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    says(&mut stream, "SET kept 1").await;
    says(&mut stream, "SET ends 1 PX 200").await;
    let demoted = server(ServerAct::Demote);
    world.begin(0, &demoted).await.unwrap();
    assert!(says(&mut stream, "SET kept 2").await.starts_with("-READONLY"));
    assert!(says(&mut stream, "INFO replication").await.contains("role:slave"));
    // It ends though a replica removes nothing by itself.
    tokio::time::timeout(SOON, async { while world.look("ends").await.unwrap().is_some() {} }).await.unwrap();
    assert_eq!(says(&mut stream, "GET kept").await, "$1\r\n1\r\n");
    world.end(0, &demoted).await.unwrap();
    assert_eq!(says(&mut stream, "GET ends").await, "$-1\r\n");
    assert_eq!(says(&mut stream, "GET kept").await, "$1\r\n1\r\n");
    assert_eq!(says(&mut stream, "SET kept 2").await, "+OK\r\n");
    world.close().await.unwrap();
}

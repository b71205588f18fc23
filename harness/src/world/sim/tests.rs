//! What is done to the embedded server and to the way to it.

use std::time::Duration;

use squall_client::{BoxStream, Clock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;
use crate::fault::{Direction, Eviction};

const SOON: Duration = Duration::from_secs(1);

fn world() -> Sim {
    Sim::start(2, 1, &Recorder::new(Clock::new(0)), Login::default())
}

fn strike(act: Act) -> Strike {
    Strike {
        what: String::new(),
        act,
        instances: Vec::new(),
        of_several: false,
        direction: Direction::Both,
        probability: 1.0,
        matching: Default::default(),
        from: 0,
        to: 0,
    }
}

fn server(act: ServerAct) -> Strike {
    strike(Act::Server(act))
}

async fn connect(world: &Sim) -> BoxStream {
    let Route::Streams { connect, .. } = world.route(0) else { panic!("this world has streams") };
    connect.connect().await.unwrap()
}

/// What comes back within a second; `None` when nothing does, and nothing at all when it ended.
async fn ask(stream: &mut BoxStream, command: &str) -> Option<String> {
    let mut reply = vec![0; 4096];
    if stream.write_all(command.as_bytes()).await.is_err() {
        return Some(String::new());
    }
    let count = timeout(SOON, stream.read(&mut reply)).await.ok()?.unwrap_or(0);
    Some(String::from_utf8_lossy(&reply[..count]).into_owned())
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn connections_are_ended_once() {
    let world = world();
    let mut stream = connect(&world).await;
    assert_eq!(ask(&mut stream, "PING\r\n").await, some("+PONG\r\n"));
    world.begin(0, &server(ServerAct::KillClients)).await.unwrap();
    assert_eq!(ask(&mut stream, "").await, some(""));
    assert_eq!(ask(&mut connect(&world).await, "PING\r\n").await, some("+PONG\r\n"));
}

#[tokio::test(start_paused = true)]
async fn data_goes_by_a_flush_and_by_eviction() {
    let world = world();
    let mut stream = connect(&world).await;
    let value = "x".repeat(10_000);
    for number in 0..100 {
        ask(&mut stream, &format!("SET k{number} {value}\r\n")).await;
    }
    let evict = server(ServerAct::Evict { bytes: 500_000, policy: Eviction::AllkeysLru });
    world.begin(0, &evict).await.unwrap();
    let left = ask(&mut stream, "DBSIZE\r\n").await.unwrap();
    let left: usize = left.trim_start_matches(':').trim().parse().unwrap();
    assert!((30..50).contains(&left), "{left}");
    world.end(0, &evict).await.unwrap();
    for number in 0..100 {
        ask(&mut stream, &format!("SET k{number} {value}\r\n")).await;
    }
    assert_eq!(ask(&mut stream, "DBSIZE\r\n").await, some(":100\r\n"));
    world.begin(1, &server(ServerAct::Flush)).await.unwrap();
    assert_eq!(ask(&mut stream, "DBSIZE\r\n").await, some(":0\r\n"));
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_are_told_until_it_ends() {
    let world = world();
    let mut live = connect(&world).await;
    assert_eq!(ask(&mut live, "PING\r\n").await, some("+PONG\r\n"));
    let full = server(ServerAct::MaxClients { clients: 1 });
    world.begin(0, &full).await.unwrap();
    let refused = "-ERR max number of clients reached\r\n";
    assert_eq!(ask(&mut connect(&world).await, "").await, some(refused));
    assert_eq!(ask(&mut live, "PING\r\n").await, some("+PONG\r\n"));
    world.end(0, &full).await.unwrap();
    assert_eq!(ask(&mut connect(&world).await, "PING\r\n").await, some("+PONG\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_script_makes_it_silent_then_busy_then_free() {
    let world = world();
    let mut stream = connect(&world).await;
    let script = server(ServerAct::Script { busy_after: 2 * SOON });
    world.begin(0, &script).await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n").await, None);
    tokio::time::sleep(SOON).await;
    assert!(ask(&mut stream, "").await.unwrap().starts_with("-BUSY"));
    world.end(0, &script).await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n").await, some("+PONG\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_takes_keys_with_it_and_comes_back() {
    let world = world();
    let mut stream = connect(&world).await;
    ask(&mut stream, "SET short 1 PX 60000\r\n").await;
    ask(&mut stream, "SET long 1 PX 7200000\r\n").await;
    let by = Duration::from_secs(3600);
    let back = server(ServerAct::ClockJump { by, backward: true });
    world.begin(0, &back).await.unwrap();
    assert!(matches!(world.look("short").await.unwrap(), Some(Left::Millis(3_600_000..=3_660_000))));
    world.end(0, &back).await.unwrap();
    assert!(matches!(world.look("short").await.unwrap(), Some(Left::Millis(1..=60_000))));
    world.begin(1, &server(ServerAct::ClockJump { by, backward: false })).await.unwrap();
    assert_eq!(world.look("short").await.unwrap(), None);
    assert!(matches!(world.look("long").await.unwrap(), Some(Left::Millis(1..=3_600_000))));
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_holds_bytes_and_lets_connects_hang_until_it_ends() {
    let world = world();
    let mut live = connect(&world).await;
    let cut = strike(Act::Unreachable);
    world.begin(0, &cut).await.unwrap();
    assert_eq!(ask(&mut live, "PING\r\n").await, None);
    {
        let waits = connect(&world);
        tokio::pin!(waits);
        assert!(timeout(60 * SOON, &mut waits).await.is_err());
        world.end(0, &cut).await.unwrap();
        let mut late = waits.await;
        assert_eq!(ask(&mut late, "PING\r\n").await, some("+PONG\r\n"));
    }
    assert_eq!(ask(&mut live, "").await, some("+PONG\r\n"));
}

#[tokio::test(start_paused = true)]
async fn another_password_ends_connections_and_lets_nobody_in_until_the_old_one_counts_again() {
    let wanted = crate::scenario::Redis { password: true, database: 3, ..Default::default() };
    let world = Sim::start(1, 1, &Recorder::new(Clock::new(0)), Login::of(&wanted, 1));
    let password = world.route(0).credentials().password.clone().unwrap();
    let log_in = format!("AUTH {password}\r\n");
    let mut live = connect(&world).await;
    assert!(ask(&mut live, "PING\r\n").await.unwrap().starts_with("-NOAUTH"));
    assert_eq!(ask(&mut live, &log_in).await, some("+OK\r\n"));
    ask(&mut live, "SELECT 3\r\n").await;
    ask(&mut live, "SET kept 1\r\n").await;
    let change = server(ServerAct::PasswordChange);
    world.begin(0, &change).await.unwrap();
    assert_eq!(ask(&mut live, "").await, some(""));
    assert!(ask(&mut connect(&world).await, &log_in).await.unwrap().starts_with("-WRONGPASS"));
    world.end(0, &change).await.unwrap();
    assert_eq!(ask(&mut connect(&world).await, &log_in).await, some("+OK\r\n"));
    assert_eq!(world.look("kept").await.unwrap(), Some(Left::Forever));
}

#[tokio::test(start_paused = true)]
async fn a_demoted_server_answers_reads_alone_and_has_its_data_when_it_is_the_primary_again() {
    let world = world();
    let mut stream = connect(&world).await;
    ask(&mut stream, "SET kept 1\r\n").await;
    let demoted = server(ServerAct::Demote);
    world.begin(0, &demoted).await.unwrap();
    assert!(ask(&mut stream, "SET kept 2\r\n").await.unwrap().starts_with("-READONLY"));
    assert_eq!(ask(&mut stream, "GET kept\r\n").await, some("$1\r\n1\r\n"));
    assert!(ask(&mut stream, "ROLE\r\n").await.unwrap().contains("slave"));
    world.end(0, &demoted).await.unwrap();
    assert_eq!(ask(&mut stream, "SET kept 2\r\n").await, some("+OK\r\n"));
}

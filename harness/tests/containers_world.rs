//! The containers world on real containers: each fault is what it says, and nothing is left behind.
//!
//! Without Docker these tests say so and pass as skipped; with `CI` set its absence is a failure.
#![cfg(feature = "containers")]

use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use squall::fault::{Act, Direction, ServerAct, Toxic};
use squall::history::Left;
use squall::plan::Strike;
use squall::recorder::Recorder;
use squall::subject::Route;
use squall::world::containers::{Containers, Images};
use squall::world::{World, WorldError};
use squall_client::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

/// A world with two instances; `None` where there is no Docker and there need be none.
async fn world() -> Option<Containers> {
    let images = Images::choose(None, None);
    match Containers::start(&images, 2, &Recorder::new(Clock::system()), &|_| {}).await {
        Ok(world) => Some(world),
        Err(WorldError::Missing { what, cure }) if std::env::var_os("CI").is_none() => {
            say(&format!("skipped: {what}; {cure}"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn strike(act: Act, instances: &[u16]) -> Strike {
    let instances = instances.to_vec();
    Strike {
        what: String::new(),
        act,
        instances,
        direction: Direction::Both,
        probability: 1.0,
        from: 0,
        to: 0,
    }
}

fn bend(kind: &'static str, attributes: &[(&'static str, u64)]) -> Act {
    Act::Bend(vec![Toxic { kind, attributes: attributes.to_vec() }])
}

async fn connect(world: &Containers, instance: u16) -> std::io::Result<TcpStream> {
    let Route::Tcp { host, port } = world.route(instance);
    timeout(SOON, TcpStream::connect((host, port))).await.expect("a connect ends soon")
}

/// Sends a command and reads what comes back, within `limit`.
async fn ask(stream: &mut TcpStream, command: &str, limit: Duration) -> Result<String, ErrorKind> {
    stream.write_all(command.as_bytes()).await.map_err(|error| error.kind())?;
    let mut reply = [0; 512];
    match timeout(limit, stream.read(&mut reply)).await {
        Ok(Ok(0)) => Err(ErrorKind::UnexpectedEof),
        Ok(Ok(count)) => Ok(String::from_utf8_lossy(&reply[..count]).into_owned()),
        Ok(Err(error)) => Err(error.kind()),
        Err(_) => Err(ErrorKind::TimedOut),
    }
}

/// A connection that works.
async fn working(world: &Containers, instance: u16) -> TcpStream {
    let mut stream = connect(world, instance).await.expect("it is accepted");
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, Ok("+PONG\r\n".to_owned()));
    stream
}

async fn end_of(stream: &mut TcpStream) -> ErrorKind {
    let mut byte = [0];
    match timeout(SOON, stream.read(&mut byte)).await.expect("it ends soon") {
        Ok(0) => ErrorKind::UnexpectedEof,
        Ok(_) => panic!("bytes instead of an end"),
        Err(error) => error.kind(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_port_resets_idle_connections_and_refuses_new_ones_of_that_instance_only() {
    let Some(world) = world().await else { return };
    let (mut idle, mut other) = (working(&world, 0).await, working(&world, 1).await);
    let refuse = strike(Act::Refuse, &[0]);
    world.begin(0, &refuse).await.unwrap();
    assert_eq!(end_of(&mut idle).await, ErrorKind::ConnectionReset);
    assert_eq!(connect(&world, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ask(&mut other, "PING\r\n", SOON).await, Ok("+PONG\r\n".to_owned()));
    world.end(0, &refuse).await.unwrap();
    working(&world, 0).await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_a_true_reset_for_idle_connections_and_for_new_ones() {
    let Some(world) = world().await else { return };
    let mut idle = working(&world, 0).await;
    let reset = strike(Act::Reset { live: true, new: true }, &[]);
    world.begin(0, &reset).await.unwrap();
    assert_eq!(end_of(&mut idle).await, ErrorKind::ConnectionReset);
    let mut new = connect(&world, 0).await.unwrap();
    assert_eq!(ask(&mut new, "PING\r\n", SOON).await, Err(ErrorKind::ConnectionReset));
    world.end(0, &reset).await.unwrap();
    working(&world, 0).await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_delays_a_stall_holds_and_delivers_and_a_black_hole_swallows_and_ends() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    let latency = strike(bend("latency", &[("latency", 300), ("jitter", 0)]), &[0]);
    world.begin(0, &latency).await.unwrap();
    let clock = Clock::system();
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, Ok("+PONG\r\n".to_owned()));
    assert!(clock.now().as_nanos() >= 600_000_000, "300 ms each way");
    world.end(0, &latency).await.unwrap();

    let stall = strike(bend("bandwidth", &[("rate", 0)]), &[0]);
    world.begin(1, &stall).await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n", Duration::from_millis(300)).await, Err(ErrorKind::TimedOut));
    world.end(1, &stall).await.unwrap();
    let mut late = [0; 7];
    timeout(SOON, stream.read_exact(&mut late)).await.expect("it is delivered soon").unwrap();
    assert_eq!(&late, b"+PONG\r\n");

    let hole = strike(bend("timeout", &[("timeout", 0)]), &[0]);
    world.begin(2, &hole).await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n", Duration::from_millis(300)).await, Err(ErrorKind::TimedOut));
    world.end(2, &hole).await.unwrap();
    assert!(matches!(end_of(&mut stream).await, ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof));
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_keeps_silent_and_a_stopped_one_comes_back_with_or_without_its_data() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    let pause = strike(Act::Server(ServerAct::Pause), &[]);
    world.begin(0, &pause).await.unwrap();
    let set = "SET kept 1 PX 60000\r\n";
    assert_eq!(ask(&mut stream, set, Duration::from_millis(300)).await, Err(ErrorKind::TimedOut));
    world.end(0, &pause).await.unwrap();
    assert_eq!(ask(&mut stream, "", SOON).await, Ok("+OK\r\n".to_owned()));

    let restart = strike(Act::Server(ServerAct::Restart { keep_data: true }), &[]);
    world.begin(1, &restart).await.unwrap();
    assert_ne!(end_of(&mut stream).await, ErrorKind::TimedOut);
    assert_eq!(connect(&world, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    world.end(1, &restart).await.unwrap();
    let left = world.look("kept").await.unwrap();
    assert!(matches!(left, Some(Left::Millis(1..=60_000))), "{left:?}");

    let kill = strike(Act::Server(ServerAct::Kill), &[]);
    world.begin(2, &kill).await.unwrap();
    assert_eq!(connect(&world, 1).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    world.end(2, &kill).await.unwrap();
    assert_eq!(world.look("kept").await.unwrap(), None);
    working(&world, 1).await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_after_a_close_and_a_second_close_is_fine() {
    let Some(world) = world().await else { return };
    world.close().await.unwrap();
    world.close().await.unwrap();
    let listed = Command::new("docker").args(["ps", "-a", "--format", "{{.Names}}"]).output().unwrap();
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(!names.contains(world.run_name()), "{names}");
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn say(text: &str) {
    eprintln!("{text}");
}

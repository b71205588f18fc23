//! Each fault is what it says.

use std::io::ErrorKind;
use std::time::Duration;

use squall::fault::{Act, Bend, ServerAct};
use squall::history::Left;
use squall::world::World as _;
use squall_client::Clock;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::stage::{SOON, ask, connect, end_of, latency, strike, working, world};

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
async fn a_reset_of_live_connections_strikes_each_once_and_refuses_nobody() {
    let Some(world) = world().await else { return };
    let reset = strike(Act::Reset { live: true, new: false }, &[0]);
    for number in 0..10 {
        let mut resets = 0;
        let mut stream = working(&world, 0).await;
        let opening = async {
            while resets == 0 || ask(&mut stream, "PING\r\n", SOON).await.is_err() {
                resets += 1;
                end_of(&mut stream).await;
                stream = connect(&world, 0).await.unwrap();
            }
        };
        let (begun, ()) = tokio::join!(world.begin(number, &reset), opening);
        begun.unwrap();
        assert_eq!(resets, 1, "round {number}");
        world.end(number, &reset).await.unwrap();
    }
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_delays_a_stall_holds_and_delivers_and_a_black_hole_swallows_and_ends() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    let late = strike(latency(300), &[0]);
    world.begin(0, &late).await.unwrap();
    let clock = Clock::system();
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, Ok("+PONG\r\n".to_owned()));
    assert!(clock.now().as_nanos() >= 600_000_000, "300 ms each way");
    world.end(0, &late).await.unwrap();

    let stall = strike(Act::Bend(Bend::Hold), &[0]);
    world.begin(1, &stall).await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n", Duration::from_millis(300)).await, Err(ErrorKind::TimedOut));
    world.end(1, &stall).await.unwrap();
    let mut late = [0; 7];
    timeout(SOON, stream.read_exact(&mut late)).await.expect("it is delivered soon").unwrap();
    assert_eq!(&late, b"+PONG\r\n");

    let hole = strike(Act::Bend(Bend::Drop), &[0]);
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

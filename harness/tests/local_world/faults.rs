//! Each fault is what it says.

use std::io::ErrorKind;

use squall::fault::{Act, ServerAct};
use squall::history::Left;
use squall::world::World as _;

use crate::stage::{A_WHILE, SOON, ask, connect, end_of, pong, strike, working, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_port_resets_idle_connections_and_refuses_new_ones_of_that_instance_only() {
    let Some(world) = world().await else { return };
    let (mut idle, mut other) = (working(&world, 0).await, working(&world, 1).await);
    let refuse = strike(Act::Refuse, &[0]);
    world.begin(0, &refuse).await.unwrap();
    assert_eq!(end_of(&mut idle).await, ErrorKind::ConnectionReset);
    assert_eq!(connect(&world, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ask(&mut other, "PING\r\n", SOON).await, pong());
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
async fn a_paused_server_keeps_silent_and_answers_when_it_goes_on() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    let pause = strike(Act::Server(ServerAct::Pause), &[]);
    world.begin(0, &pause).await.unwrap();
    assert_eq!(ask(&mut stream, "SET kept 1 PX 60000\r\n", A_WHILE).await, Err(ErrorKind::TimedOut));
    world.end(0, &pause).await.unwrap();
    assert_eq!(ask(&mut stream, "", SOON).await, Ok("+OK\r\n".to_owned()));
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_comes_back_with_or_without_its_data() {
    let Some(world) = world().await else { return };
    for (act, kept) in [
        (ServerAct::Restart { keep_data: true }, true),
        (ServerAct::Restart { keep_data: false }, false),
        (ServerAct::Kill, false),
    ] {
        let mut stream = working(&world, 0).await;
        let set = ask(&mut stream, "SET kept 1 PX 60000\r\n", SOON).await;
        assert_eq!(set, Ok("+OK\r\n".to_owned()));
        let (before, act) = (world.process_id(), strike(Act::Server(act), &[]));
        world.begin(1, &act).await.unwrap();
        assert_ne!(end_of(&mut stream).await, ErrorKind::TimedOut);
        assert_eq!(connect(&world, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(world.process_id(), None);
        world.end(1, &act).await.unwrap();
        assert_ne!(world.process_id(), before);
        let left = world.look("kept").await.unwrap();
        assert_eq!(matches!(left, Some(Left::Millis(1..=60_000))), kept, "{left:?}");
        working(&world, 1).await;
    }
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_from_the_side_tells_how_long_a_key_lives() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    assert_eq!(ask(&mut stream, "SET for-ever 1\r\n", SOON).await, Ok("+OK\r\n".to_owned()));
    assert_eq!(world.look("for-ever").await.unwrap(), Some(Left::Forever));
    assert_eq!(world.look("never").await.unwrap(), None);
    world.close().await.unwrap();
}

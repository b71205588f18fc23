//! Strikes that overlap add up, and each ends by itself.

use std::io::ErrorKind;
use std::time::Duration;

use squall::fault::{Act, ServerAct};
use squall::plan::Strike;
use squall::world::World as _;
use squall_client::Clock;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{SOON, ask, connect, end_of, latency, strike, working, world};

const A_WHILE: Duration = Duration::from_millis(300);

fn pong() -> Result<String, ErrorKind> {
    Ok("+PONG\r\n".to_owned())
}

async fn ping_takes(stream: &mut TcpStream) -> Duration {
    let clock = Clock::system();
    let start = clock.now();
    assert_eq!(ask(stream, "PING\r\n", SOON).await, pong());
    clock.now().since(start)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_open_again_when_the_last_strike_that_closes_it_has_ended() {
    let Some(world) = world().await else { return };
    let (refuse, kill) = (strike(Act::Refuse, &[0]), strike(Act::Server(ServerAct::Kill), &[]));
    world.begin(0, &refuse).await.unwrap();
    world.begin(1, &kill).await.unwrap();
    world.begin(2, &refuse).await.unwrap();
    world.end(0, &refuse).await.unwrap();
    world.end(1, &kill).await.unwrap();
    assert_eq!(connect(&world, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    working(&world, 1).await;
    // A reset has nothing to do where nothing is open, and must not open it.
    let reset = strike(Act::Reset { live: true, new: true }, &[]);
    world.begin(3, &reset).await.unwrap();
    assert_eq!(connect(&world, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    world.end(3, &reset).await.unwrap();
    world.end(2, &refuse).await.unwrap();
    working(&world, 0).await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn toxics_of_one_kind_add_up_and_a_second_proxy_is_bent_alike() {
    let Some(world) = world().await else { return };
    let mut stream = working(&world, 0).await;
    let slow = Strike { direction: squall::fault::Direction::Downstream, ..strike(latency(200), &[]) };
    world.begin(0, &slow).await.unwrap();
    world.begin(1, &slow).await.unwrap();
    assert!(ping_takes(&mut stream).await >= Duration::from_millis(400));
    // New connections go another way while these last, and meet the same.
    let reset = strike(Act::Reset { live: false, new: true }, &[0]);
    let none = Strike { probability: 0.0, ..reset.clone() };
    world.begin(2, &none).await.unwrap();
    let mut new = connect(&world, 0).await.unwrap();
    assert!(ping_takes(&mut new).await >= Duration::from_millis(400));
    world.end(0, &slow).await.unwrap();
    let takes = ping_takes(&mut new).await;
    assert!(takes >= Duration::from_millis(200), "{takes:?}");
    world.end(1, &slow).await.unwrap();
    world.end(2, &none).await.unwrap();
    assert_eq!(ask(&mut new, "PING\r\n", SOON).await, pong());
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, pong());
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_new_connections_spares_those_that_were_open() {
    let Some(world) = world().await else { return };
    let mut before = working(&world, 0).await;
    let reset = strike(Act::Reset { live: false, new: true }, &[0]);
    for number in 0..2 {
        world.begin(number, &reset).await.unwrap();
        let mut during = connect(&world, 0).await.unwrap();
        assert_eq!(ask(&mut during, "PING\r\n", SOON).await, Err(ErrorKind::ConnectionReset));
        assert_eq!(ask(&mut before, "PING\r\n", SOON).await, pong());
        working(&world, 1).await;
        world.end(number, &reset).await.unwrap();
        working(&world, 0).await;
    }
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_with_a_probability_strikes_a_share_of_live_connections() {
    let Some(world) = world().await else { return };
    let mut open = Vec::new();
    for _ in 0..60 {
        open.push(working(&world, 0).await);
    }
    let reset = Strike { probability: 0.5, ..strike(Act::Reset { live: true, new: false }, &[0]) };
    world.begin(0, &reset).await.unwrap();
    let (mut alive, mut struck) = (0, 0);
    for mut stream in open {
        match ask(&mut stream, "PING\r\n", SOON).await {
            Ok(_) => alive += 1,
            Err(error) => {
                assert_eq!(error, ErrorKind::ConnectionReset);
                struck += 1;
            }
        }
    }
    assert!((10..=50).contains(&struck), "{struck} struck, {alive} alive");
    world.end(0, &reset).await.unwrap();
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_and_a_kill_overlap_either_way() {
    let Some(world) = world().await else { return };
    let (pause, kill) =
        (strike(Act::Server(ServerAct::Pause), &[]), strike(Act::Server(ServerAct::Kill), &[]));
    world.begin(0, &pause).await.unwrap();
    world.begin(1, &kill).await.unwrap();
    world.end(1, &kill).await.unwrap();
    // Back again, and still paused.
    let mut stream = connect(&world, 0).await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n", A_WHILE).await, Err(ErrorKind::TimedOut));
    world.end(0, &pause).await.unwrap();
    assert_eq!(ask(&mut stream, "", SOON).await, pong());
    world.begin(2, &kill).await.unwrap();
    assert_ne!(end_of(&mut stream).await, ErrorKind::TimedOut);
    world.begin(3, &pause).await.unwrap();
    world.end(3, &pause).await.unwrap();
    world.end(2, &kill).await.unwrap();
    working(&world, 0).await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn data_are_lost_if_any_of_the_strikes_loses_them_even_where_an_earlier_one_saved() {
    let Some(world) = world().await else { return };
    let keep = strike(Act::Server(ServerAct::Restart { keep_data: true }), &[]);
    let lose = strike(Act::Server(ServerAct::Restart { keep_data: false }), &[]);
    let kill = strike(Act::Server(ServerAct::Kill), &[]);
    for losing in [lose, kill] {
        let mut stream = working(&world, 0).await;
        assert_eq!(ask(&mut stream, "SET a 1\r\n", SOON).await, Ok("+OK\r\n".to_owned()));
        world.begin(0, &keep).await.unwrap();
        world.end(0, &keep).await.unwrap();
        assert!(world.look("a").await.unwrap().is_some());
        world.begin(1, &losing).await.unwrap();
        world.begin(2, &keep).await.unwrap();
        world.end(1, &losing).await.unwrap();
        assert_eq!(connect(&world, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        world.end(2, &keep).await.unwrap();
        assert_eq!(world.look("a").await.unwrap(), None);
    }
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fresh_reader_is_struck_only_with_the_server() {
    let Some(world) = world().await else { return };
    const FRESH: u16 = 2;
    let mut stream = working(&world, FRESH).await;
    let refuse = strike(Act::Refuse, &[]);
    world.begin(0, &refuse).await.unwrap();
    assert_eq!(connect(&world, 1).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, pong());
    world.end(0, &refuse).await.unwrap();
    let kill = strike(Act::Server(ServerAct::Kill), &[]);
    world.begin(1, &kill).await.unwrap();
    assert_eq!(connect(&world, FRESH).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    world.end(1, &kill).await.unwrap();
    working(&world, FRESH).await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_goes_away_goes_away_in_redis_as_well() {
    let Some(world) = world().await else { return };
    let (mut watcher, stream) = (working(&world, 1).await, working(&world, 0).await);
    assert_eq!((world.connections(0), world.connections(1)), (1, 1));
    drop(stream);
    let gone = async {
        // Redis counts the side connection and the watcher.
        while !ask(&mut watcher, "INFO clients\r\n", SOON).await.unwrap().contains("connected_clients:2") {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, gone).await.expect("Redis notices soon");
    let forgotten = async {
        while world.connections(0) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, forgotten).await.expect("the tap forgets it soon");
    let mut rest = [0; 4096];
    while timeout(A_WHILE, watcher.read(&mut rest)).await.is_ok() {}
    world.close().await.unwrap();
}

//! Nothing is left behind, whatever happens to a run.

use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use squall::fault::Act;
use squall::world::World as _;
use squall_client::Clock;

use crate::process::{line, play};
use crate::stage::{SOON, ask, connect, end_of, strike, working, world};

/// The names of containers and networks that have this in their name.
fn found(part: &str) -> String {
    let list = |arguments: &[&str]| {
        let listed = Command::new("docker").args(arguments).output().expect("docker is there");
        String::from_utf8_lossy(&listed.stdout).into_owned()
    };
    let all =
        list(&["ps", "-a", "--format", "{{.Names}}"]) + &list(&["network", "ls", "--format", "{{.Name}}"]);
    all.lines().filter(|name| name.contains(part)).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_after_a_close_and_a_second_close_is_fine() {
    let Some(world) = world().await else { return };
    let run = world.run_name().to_owned();
    assert_eq!(found(&run).split(' ').count(), 3);
    world.close().await.unwrap();
    world.close().await.unwrap();
    assert_eq!(found(&run), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_world_that_is_closed_in_the_middle_of_a_strike() {
    let Some(world) = world().await else { return };
    let pause = strike(Act::Server(squall::fault::ServerAct::Pause), &[]);
    world.begin(0, &pause).await.unwrap();
    world.close().await.unwrap();
    assert_eq!(found(world.run_name()), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_after_a_panic() {
    let Some(world) = world().await else { return };
    let run = world.run_name().to_owned();
    let mut stream = working(&world, 0).await;
    let panicked = tokio::spawn(async move {
        let _world = world;
        panic!("on purpose");
    });
    assert!(panicked.await.is_err());
    assert_eq!(found(&run), "");
    assert_eq!(end_of(&mut stream).await, ErrorKind::ConnectionReset);
}

#[test]
fn nothing_is_left_of_a_world_that_is_dropped_where_no_runtime_runs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(world) = runtime.block_on(world()) else { return };
    let run = world.run_name().to_owned();
    drop(runtime);
    drop(world);
    assert_eq!(found(&run), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_leaves_the_next_start_removes_and_the_living_are_let_be() {
    let Some(first) = world().await else { return };
    let (mut killed, mut living) = (play("hold", &[]), play("hold", &[]));
    let (dead, alive) = (line(&mut killed).unwrap(), line(&mut living).unwrap());
    killed.kill().unwrap();
    // Not waited for: a zombie is dead as well.
    assert_ne!(found(&dead), "");
    let clock = Clock::system();
    while !found(&dead).is_empty() {
        assert!(clock.now().as_nanos() < 60_000_000_000, "the next starts remove it");
        let Some(second) = world().await else { return };
        second.close().await.unwrap();
    }
    assert_eq!(found(&alive).split(' ').count(), 3);
    working(&first, 0).await;
    killed.wait().unwrap();
    living.kill().unwrap();
    living.wait().unwrap();
    first.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_removes_all_of_this_process_and_nothing_else() {
    let Some(world) = world().await else { return };
    let mut other = play("sweep", &[]);
    let swept = line(&mut other).unwrap();
    assert_eq!(found(&swept), "");
    other.wait().unwrap();
    working(&world, 0).await;
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_the_program_is_told_to_end_at_any_moment_of_a_start() {
    let Some(world) = world().await else { return };
    world.close().await.unwrap();
    for after in [0, 30, 100, 250, 500, 900] {
        let mut process = play(&format!("stop={after}"), &[]);
        let id = line(&mut process).unwrap();
        process.wait().unwrap();
        assert_eq!(found(&format!("squall-{id}-")), "", "after {after} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_go_side_by_side() {
    let (first, second) = tokio::join!(world(), world());
    let (Some(first), Some(second)) = (first, second) else { return };
    let refuse = strike(Act::Refuse, &[]);
    first.begin(0, &refuse).await.unwrap();
    assert_eq!(connect(&first, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let mut stream = working(&second, 0).await;
    first.close().await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, Ok("+PONG\r\n".to_owned()));
    second.close().await.unwrap();
}

/// What a process says that only starts a world.
fn said(role: &str, settings: &[(&str, &str)]) -> (Duration, String) {
    let mut process = play(role, settings);
    let line = line(&mut process).expect("it says something");
    process.wait().expect("it ends");
    let (ms, text) = line.split_once(" ms: ").unwrap_or(("0", &line));
    (Duration::from_millis(ms.parse().expect("a number")), text.to_owned())
}

#[test]
fn without_docker_it_says_so_at_once() {
    let (took, text) = said("start", &[("DOCKER_HOST", "unix:///nonexistent/docker.sock")]);
    assert!(text.contains("Docker does not answer") && text.contains("/nonexistent/docker.sock"), "{text}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_docker_that_hangs_is_given_up_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let _never_answers = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (took, text) = said("start", &[("DOCKER_HOST", &format!("unix://{}", path.display()))]);
    assert!(text.contains("no answer within"), "{text}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_had_is_named_with_the_cure() {
    let Some(world) = world().await else { return };
    world.close().await.unwrap();
    let (_, text) = said("start=localhost:9/no/such:1", &[]);
    assert!(
        text.contains("the image localhost:9/no/such:1 is not here") && text.contains("scripts/images"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_bridge_cannot_be_reached_published_ports_are_used() {
    let Some(world) = world().await else { return };
    world.close().await.unwrap();
    let (_, text) = said("start", &[("SQUALL_ROUTE", "published")]);
    assert!(text.contains("route: published ports"), "{text}");
}

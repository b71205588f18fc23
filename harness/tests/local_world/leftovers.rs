//! Nothing is left behind, whatever happens to a run.

use std::io::ErrorKind;
use std::path::PathBuf;

use squall::fault::{Act, ServerAct};
use squall::world::World as _;
use squall::world::local::Local;

use crate::process::{left, line, play, servers};
use crate::stage::{SOON, ask, connect, end_of, pong, strike, there_is_a_server, until, working, world};

/// A server's process and folder, to see whether they are there still.
struct Traces {
    process: PathBuf,
    folder: PathBuf,
}

impl Traces {
    fn of(world: &Local) -> Self {
        let process = PathBuf::from(format!("/proc/{}", world.process_id().unwrap()));
        let traces = Self { process, folder: world.folder().unwrap().to_path_buf() };
        assert!(traces.process.exists() && traces.folder.exists());
        traces
    }

    fn assert_gone(&self) {
        assert!(!self.process.exists(), "the process is there still");
        assert!(!self.folder.exists(), "the folder is there still");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_after_a_close_and_a_second_close_is_fine() {
    let Some(world) = world().await else { return };
    let traces = Traces::of(&world);
    world.close().await.unwrap();
    world.close().await.unwrap();
    traces.assert_gone();
    assert_eq!(connect(&world, 0).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_world_that_is_closed_in_the_middle_of_a_strike() {
    for act in [ServerAct::Pause, ServerAct::Kill, ServerAct::Restart { keep_data: true }] {
        let Some(world) = world().await else { return };
        let traces = Traces::of(&world);
        world.begin(0, &strike(Act::Server(act), &[])).await.unwrap();
        world.close().await.unwrap();
        traces.assert_gone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_after_a_panic() {
    let Some(world) = world().await else { return };
    let traces = Traces::of(&world);
    let mut stream = working(&world, 0).await;
    let panicked = tokio::spawn(async move {
        let _world = world;
        panic!("on purpose");
    });
    assert!(panicked.await.is_err());
    traces.assert_gone();
    assert_eq!(end_of(&mut stream).await, ErrorKind::ConnectionReset);
}

#[test]
fn nothing_is_left_of_a_world_that_is_dropped_where_no_runtime_runs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(world) = runtime.block_on(world()) else { return };
    let traces = Traces::of(&world);
    drop(runtime);
    drop(world);
    traces.assert_gone();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_start_that_is_given_up() {
    let Some(finished) = world().await else { return };
    finished.close().await.unwrap();
    for after in [0, 3, 10, 30, 100] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = play(&format!("stop={after}"), folder.path(), &[]);
        assert_eq!(line(&mut process), "swept");
        process.wait().unwrap();
        assert_eq!(left(folder.path()), [""; 0], "after {after} ms");
    }
}

#[test]
fn a_sweep_ends_every_server_of_its_process() {
    if !there_is_a_server() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut process = play("sweep", folder.path(), &[]);
    assert_eq!(line(&mut process), "exists: false");
    process.wait().unwrap();
    assert_eq!(left(folder.path()), [""; 0]);
}

/// A folder in which there is a server to be found, and nothing else.
fn only_a_server() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["redis-server", "valkey-server"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| servers.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if let Some(found) = found {
        std::os::unix::fs::symlink(&found, folder.path().join(found.file_name().unwrap())).unwrap();
    }
    folder
}

/// With or without the tool that binds a server's life to ours, paused or not.
#[test]
fn what_a_killed_process_leaves_the_next_start_removes_and_the_living_are_let_be() {
    if !there_is_a_server() {
        return;
    }
    let bare = only_a_server();
    let bare = bare.path().to_str().unwrap();
    let path = std::env::var("PATH").unwrap();
    for (role, path) in [("hold", path.as_str()), ("hold", bare), ("hold=paused", bare)] {
        let folder = tempfile::tempdir().unwrap();
        let settings = [("PATH", path)];
        let mut killed = play(role, folder.path(), &settings);
        line(&mut killed);
        assert_eq!(left(folder.path()).len(), 2, "a folder and a process");
        killed.kill().unwrap();
        killed.wait().unwrap();
        if path == bare {
            assert_eq!(servers(folder.path()).len(), 1, "nothing binds its life to its parent's");
        }
        let mut living = play("hold", folder.path(), &settings);
        line(&mut living);
        until("only the living one's are there", || left(folder.path()).len() == 2);
        let mut other = play("hold", folder.path(), &settings);
        line(&mut other);
        assert_eq!(servers(folder.path()).len(), 2, "the living are let be");
        for mut process in [living, other] {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        let mut last = play("sweep", folder.path(), &settings);
        line(&mut last);
        last.wait().unwrap();
        until("all are gone", || left(folder.path()).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_go_side_by_side() {
    let (first, second) = tokio::join!(world(), world());
    let (Some(first), Some(second)) = (first, second) else { return };
    let kill = strike(Act::Server(ServerAct::Kill), &[]);
    first.begin(0, &kill).await.unwrap();
    let mut stream = working(&second, 0).await;
    first.close().await.unwrap();
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, pong());
    second.close().await.unwrap();
}

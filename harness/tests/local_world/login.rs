//! A server that instances log in to: nobody else is let in, nor after a restart, and faults strike it all the same.

use std::time::Duration;

use squall::fault::{Act, ServerAct};
use squall::scenario::Redis;
use squall::subject::Credentials;
use squall::world::local::Local;
use squall::world::{Login, World as _};
use tokio::net::TcpStream;

use crate::stage::{SOON, ask, connect, end_of, start_with, strike, there_is_a_server};

/// A world whose instances log in as `user`, in database 3.
async fn world(user: Option<&str>) -> Option<Local> {
    if !there_is_a_server() {
        return None;
    }
    let wanted = Redis { user: user.map(str::to_owned), password: true, database: 3, ..Redis::default() };
    Some(start_with(Login::of(&wanted, 1)).await.unwrap())
}

fn credentials(world: &Local) -> Credentials {
    world.route(0).credentials().clone()
}

async fn says(stream: &mut TcpStream, command: &str) -> String {
    ask(stream, &format!("{command}\r\n"), SOON).await.expect("it answers")
}

/// What a new connection is told that logs in as an instance does.
async fn logs_in(world: &Local) -> (TcpStream, String) {
    let Credentials { username, password, .. } = credentials(world);
    let words = [Some("AUTH".to_owned()), username, password];
    let command = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let mut stream = connect(world, 0).await.unwrap();
    let told = says(&mut stream, &command).await;
    (stream, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_without_the_password_nor_after_a_restart() {
    for user in [None, Some("web")] {
        let Some(world) = world(user).await else { return };
        let restart = strike(Act::Server(ServerAct::Restart { keep_data: true }), &[]);
        for round in 0..2 {
            let mut stranger = connect(&world, 0).await.unwrap();
            assert!(says(&mut stranger, "PING").await.starts_with("-NOAUTH"));
            assert!(says(&mut stranger, "AUTH secret").await.starts_with("-WRONGPASS"));
            let (mut stream, told) = logs_in(&world).await;
            assert_eq!(told, "+OK\r\n");
            assert_eq!(says(&mut stream, "SELECT 3").await, "+OK\r\n");
            assert_eq!(says(&mut stream, &format!("SET k{round} v PX 600000")).await, "+OK\r\n");
            assert!(world.look("k0").await.unwrap().is_some());
            world.begin(round, &restart).await.unwrap();
            world.end(round, &restart).await.unwrap();
            assert!(world.look("k0").await.unwrap().is_some());
        }
        let notes = world.notes().join("\n");
        let shown = format!("{notes} {:?}", world.route(0).credentials());
        assert!(notes.contains("database 3") && notes.contains("with a password"), "{notes}");
        assert!(!shown.contains(&credentials(&world).password.unwrap()), "{shown}");
        world.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_its_own_does_not_administer_the_server() {
    let Some(world) = world(Some("web")).await else { return };
    let (mut stream, _) = logs_in(&world).await;
    assert_eq!(says(&mut stream, "ACL WHOAMI").await, "$3\r\nweb\r\n");
    assert!(says(&mut stream, "INFO server").await.contains("run_id"));
    assert!(says(&mut stream, "CONFIG GET maxmemory").await.starts_with("-NOPERM"));
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_runs_in_a_server_that_asks_for_a_password() {
    let Some(world) = world(None).await else { return };
    let (mut stream, _) = logs_in(&world).await;
    let act = ServerAct::Script { busy_after: Duration::from_millis(100) };
    let script = squall::plan::Strike { to: 10_000_000_000, ..strike(Act::Server(act), &[]) };
    world.begin(0, &script).await.unwrap();
    assert!(says(&mut stream, "PING").await.starts_with("-BUSY"));
    world.end(0, &script).await.unwrap();
    assert_eq!(says(&mut stream, "PING").await, "+PONG\r\n");
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_connections_and_lets_nobody_in_until_the_old_one_counts_again() {
    for user in [None, Some("web")] {
        let Some(world) = world(user).await else { return };
        let (mut live, told) = logs_in(&world).await;
        assert_eq!(told, "+OK\r\n");
        let change = strike(Act::Server(ServerAct::PasswordChange), &[]);
        world.begin(0, &change).await.unwrap();
        assert_ne!(end_of(&mut live).await, std::io::ErrorKind::TimedOut);
        assert!(logs_in(&world).await.1.starts_with("-WRONGPASS"));
        assert_eq!(world.look("none").await.unwrap(), None);
        world.end(0, &change).await.unwrap();
        assert_eq!(logs_in(&world).await.1, "+OK\r\n");
        world.close().await.unwrap();
    }
}

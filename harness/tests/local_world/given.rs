//! A run on a server of somebody else's leaves it as it was.

use squall::fault::{Act, ServerAct};
use squall::subject::Route;
use squall::world::World as _;
use squall::world::local::{Local, Redis, RedisUrl};

use crate::foreign::{Foreign, PASSWORD};
use crate::stage::{SOON, ask, connect, start, strike};

fn given(foreign: &Foreign, password: &str) -> Redis {
    Redis::Given { url: RedisUrl::parse(&foreign.url(password, 2)).unwrap(), destructive: true }
}

/// Writes a key of the run's own and one that is another's, through the world.
async fn write(world: &Local, prefix: &str) {
    let mut stream = connect(world, 0).await.unwrap();
    assert!(ask(&mut stream, "PING\r\n", SOON).await.unwrap().contains("NOAUTH"));
    for command in [
        format!("AUTH {PASSWORD}"),
        "SELECT 2".to_owned(),
        format!("SET {prefix}session:s1 x"),
        format!("SET {{{prefix}session:s1}}:tomb x"),
    ] {
        assert_eq!(ask(&mut stream, &format!("{command}\r\n"), SOON).await.unwrap(), "+OK\r\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_runs_own_keys_are_removed_when_it_is_closed_or_dropped() {
    let Some(mut foreign) = Foreign::start() else { return };
    for closed in [true, false] {
        let world = start(&given(&foreign, PASSWORD)).await.unwrap();
        let prefix = world.key_prefix().unwrap().to_owned();
        write(&world, &prefix).await;
        assert_eq!(foreign.keys(2).len(), 5);
        if closed {
            world.close().await.unwrap();
            world.close().await.unwrap();
        } else {
            drop(world);
        }
        foreign.assert_untouched();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_never_struck() {
    let Some(mut foreign) = Foreign::start() else { return };
    let world = start(&given(&foreign, PASSWORD)).await.unwrap();
    for act in [
        ServerAct::Pause,
        ServerAct::Kill,
        ServerAct::Restart { keep_data: true },
        ServerAct::KillClients,
        ServerAct::Flush,
        ServerAct::MaxClients { clients: 1 },
    ] {
        let error = world.begin(0, &strike(Act::Server(act), &[])).await.unwrap_err();
        assert!(error.to_string().contains("--redis-url"), "{error}");
    }
    foreign.assert_untouched();
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_route_has_what_a_subject_needs_to_be_let_in() {
    let Some(foreign) = Foreign::start() else { return };
    let world = start(&given(&foreign, PASSWORD)).await.unwrap();
    let Route::Tcp { credentials, .. } = world.route(0) else { panic!("it is reached by TCP") };
    assert_eq!((credentials.password.as_deref(), credentials.database), (Some(PASSWORD), 2));
    let notes = world.notes().join("\n");
    assert!(notes.contains("of the user's own") && !notes.contains(PASSWORD), "{notes}");
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_server_that_is_away_are_told_clearly() {
    let Some(mut foreign) = Foreign::start() else { return };
    let error = start(&given(&foreign, "wr0ng")).await.err().unwrap().to_string();
    assert!(error.contains("does not let us in") && error.contains("correct user and password"), "{error}");
    assert!(!error.contains("wr0ng"), "{error}");
    foreign.assert_untouched();
    let away = given(&foreign, PASSWORD);
    drop(foreign);
    let error = start(&away).await.err().unwrap().to_string();
    assert!(error.contains("no server answers") && error.contains("SQUALL_REDIS_URL"), "{error}");
    assert!(!error.contains(PASSWORD), "{error}");
}

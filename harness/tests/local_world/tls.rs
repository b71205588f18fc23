//! Instances that speak TLS: the faults strike below it, and whoever does not speak it is told.

use std::io::ErrorKind;
use std::path::Path;

use squall::fault::{Act, ServerAct};
use squall::history::{Event, ReplyKind, Wire};
use squall::recorder::Recorder;
use squall::scenario::Redis;
use squall::subject::Route;
use squall::world::local::Local;
use squall::world::{Login, World as _};
use squall_client::settings::KeepaliveSettings;
use squall_client::{BoxStream, Clock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::stage::{SOON, ask, connect, own, strike, there_is_a_server};

async fn world(recorder: &Recorder) -> Option<Local> {
    if !there_is_a_server() {
        return None;
    }
    let login = Login::of(&Redis { tls: true, ..Redis::default() }, 1);
    Some(Local::start(&own(), 2, 1, recorder, login, &|_| {}).await.unwrap())
}

async fn by_tls(route: &Route) -> std::io::Result<BoxStream> {
    let connect = route.connect(&KeepaliveSettings::default()).unwrap();
    timeout(SOON, connect.connect()).await.expect("it ends soon")
}

/// What comes within ten seconds.
async fn says(stream: &mut BoxStream, command: &str) -> Result<String, ErrorKind> {
    stream.write_all(command.as_bytes()).await.map_err(|error| error.kind())?;
    let mut reply = [0; 4096];
    let read = timeout(SOON, stream.read(&mut reply)).await.expect("it answers or ends");
    read.map(|count| String::from_utf8_lossy(&reply[..count]).into_owned()).map_err(|error| error.kind())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_is_encrypted_recorded_and_struck_below_the_encryption() {
    let recorder = Recorder::new(Clock::system());
    let Some(world) = world(&recorder).await else { return };
    let route = world.route(0);
    assert!(route.url().unwrap().starts_with("rediss://127.0.0.1:"));
    let mut live = by_tls(&route).await.unwrap();
    assert_eq!(says(&mut live, "GET session:none\r\n").await.unwrap(), "$-1\r\n");
    let heard = recorder.take().into_iter().map(|entry| entry.e).collect::<Vec<_>>();
    let key = Some("session:none".to_owned());
    for what in
        [Wire::Opened, Wire::Command { name: "GET".to_owned(), key }, Wire::Reply { kind: ReplyKind::Null }]
    {
        let wanted = Event::Wire { instance: 0, connection: 0, what };
        assert!(heard.contains(&wanted), "{wanted:?} in {heard:?}");
    }

    world.begin(0, &strike(Act::Refuse, &[])).await.unwrap();
    assert_eq!(says(&mut live, "").await, Err(ErrorKind::ConnectionReset));
    assert_eq!(by_tls(&route).await.err().unwrap().kind(), ErrorKind::ConnectionRefused);
    world.end(0, &strike(Act::Refuse, &[])).await.unwrap();
    let restart = strike(Act::Server(ServerAct::Restart { keep_data: true }), &[]);
    world.begin(1, &restart).await.unwrap();
    world.end(1, &restart).await.unwrap();
    let mut again = by_tls(&route).await.unwrap();
    assert_eq!(says(&mut again, "PING\r\n").await.unwrap(), "+PONG\r\n");
    world.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_speak_tls_is_told_and_no_key_is_written_or_shown() {
    let recorder = Recorder::new(Clock::system());
    let Some(world) = world(&recorder).await else { return };
    let mut stream = connect(&world, 0).await.unwrap();
    let told = ask(&mut stream, "PING\r\n", SOON).await.unwrap();
    assert!(told.starts_with("-ERR this port speaks TLS"), "{told}");

    let route = world.route(0);
    let ca = route.ca().unwrap().to_owned();
    let folder = ca.parent().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("KEY-----"), "{text}");
    }
    let notes = world.notes().join("\n");
    assert!(notes.contains("tls: ") && !notes.contains(&ca.display().to_string()), "{notes}");
    assert_ne!(Some(folder), world.folder().map(Path::new));
    world.close().await.unwrap();
    drop(world);
    assert!(!ca.exists() && !folder.exists());
}

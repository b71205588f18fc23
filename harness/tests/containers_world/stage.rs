//! What the tests of this world have in common.

use std::io::ErrorKind;
use std::time::Duration;

use squall::fault::{Act, Bend, Direction};
use squall::plan::Strike;
use squall::recorder::Recorder;
use squall::subject::Route;
use squall::world::containers::{Containers, Images};
use squall::world::{Login, World, WorldError};
use squall_client::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A world with two instances; `None` where there is no Docker and there need be none.
pub(crate) async fn world() -> Option<Containers> {
    let images = Images::choose(None, None);
    match Containers::start(&images, 2, 1, &Recorder::new(Clock::system()), Login::default(), &|_| {}).await {
        Ok(world) => Some(world),
        Err(WorldError::Missing { what, cure }) if std::env::var_os("CI").is_none() => {
            say(&format!("skipped: {what}; {cure}"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn strike(act: Act, instances: &[u16]) -> Strike {
    let instances = instances.to_vec();
    Strike {
        what: String::new(),
        act,
        instances,
        of_several: false,
        direction: Direction::Both,
        probability: 1.0,
        matching: Default::default(),
        from: 0,
        to: 0,
    }
}

pub(crate) fn latency(milliseconds: u64) -> Act {
    Act::Bend(Bend::Latency { delay: Duration::from_millis(milliseconds), jitter: Duration::ZERO })
}

pub(crate) async fn connect(world: &Containers, instance: u16) -> std::io::Result<TcpStream> {
    let Route::Tcp { host, port, .. } = world.route(instance) else {
        panic!("containers are reached by TCP")
    };
    timeout(SOON, TcpStream::connect((host, port))).await.expect("a connect ends soon")
}

/// Sends a command and reads what comes back, within `limit`.
pub(crate) async fn ask(stream: &mut TcpStream, command: &str, limit: Duration) -> Result<String, ErrorKind> {
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
pub(crate) async fn working(world: &Containers, instance: u16) -> TcpStream {
    let mut stream = connect(world, instance).await.expect("it is accepted");
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, Ok("+PONG\r\n".to_owned()));
    stream
}

pub(crate) async fn end_of(stream: &mut TcpStream) -> ErrorKind {
    let mut byte = [0];
    match timeout(SOON, stream.read(&mut byte)).await.expect("it ends soon") {
        Ok(0) => ErrorKind::UnexpectedEof,
        Ok(_) => panic!("bytes instead of an end"),
        Err(error) => error.kind(),
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn say(text: &str) {
    eprintln!("{text}");
}

//! What the tests of this world have in common.

use std::io::ErrorKind;
use std::time::Duration;

use squall::fault::{Act, Direction};
use squall::plan::Strike;
use squall::recorder::Recorder;
use squall::subject::Route;
use squall::world::local::{Local, Redis};
use squall::world::{Login, World, WorldError};
use squall_client::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const SOON: Duration = Duration::from_secs(10);
pub(crate) const A_WHILE: Duration = Duration::from_millis(300);

/// The server that these tests start.
pub(crate) fn own() -> Redis {
    Redis::Own { program: std::env::var("SQUALL_REDIS_SERVER").ok() }
}

/// Whether there is a server; where there is none and there need be none, that is said.
pub(crate) fn there_is_a_server() -> bool {
    match own().missing() {
        None => true,
        Some(why) if std::env::var_os("CI").is_none() => {
            say(&format!("skipped: {why}"));
            false
        }
        Some(why) => panic!("{why}"),
    }
}

pub(crate) async fn start(redis: &Redis) -> Result<Local, WorldError> {
    Local::start(redis, 2, 1, &Recorder::new(Clock::system()), Login::default(), &|_| {}).await
}

/// A world whose instances log in so.
pub(crate) async fn start_with(login: Login) -> Result<Local, WorldError> {
    Local::start(&own(), 2, 1, &Recorder::new(Clock::system()), login, &|_| {}).await
}

/// A world with two instances; `None` where there is no server and there need be none.
pub(crate) async fn world() -> Option<Local> {
    if !there_is_a_server() {
        return None;
    }
    Some(start(&own()).await.unwrap())
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

pub(crate) async fn connect(world: &Local, instance: u16) -> std::io::Result<TcpStream> {
    let Route::Tcp { host, port, .. } = world.route(instance) else { panic!("this world is reached by TCP") };
    timeout(SOON, TcpStream::connect((host, port))).await.expect("a connect ends soon")
}

/// Sends a command and reads what comes back, within `limit`.
pub(crate) async fn ask(stream: &mut TcpStream, command: &str, limit: Duration) -> Result<String, ErrorKind> {
    stream.write_all(command.as_bytes()).await.map_err(|error| error.kind())?;
    let mut reply = [0; 4096];
    match timeout(limit, stream.read(&mut reply)).await {
        Ok(Ok(0)) => Err(ErrorKind::UnexpectedEof),
        Ok(Ok(count)) => Ok(String::from_utf8_lossy(&reply[..count]).into_owned()),
        Ok(Err(error)) => Err(error.kind()),
        Err(_) => Err(ErrorKind::TimedOut),
    }
}

pub(crate) fn pong() -> Result<String, ErrorKind> {
    Ok("+PONG\r\n".to_owned())
}

/// A connection that works.
pub(crate) async fn working(world: &Local, instance: u16) -> TcpStream {
    let mut stream = connect(world, instance).await.expect("it is accepted");
    assert_eq!(ask(&mut stream, "PING\r\n", SOON).await, pong());
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

/// Waits until something is so.
pub(crate) fn until(what: &str, so: impl Fn() -> bool) {
    let clock = Clock::system();
    while !so() {
        assert!(clock.now().as_nanos() < 30_000_000_000, "{what} by now");
        std::thread::yield_now();
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn say(text: &str) {
    eprintln!("{text}");
}

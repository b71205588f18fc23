//! A tiny Redis on in-memory streams, for tests on paused time. It can be told to misbehave.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::Notify;

use crate::connect::{BoxStream, Connect, Connecting};

/// What becomes of an attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// It succeeds.
    Open,
    /// It is refused at once.
    Refused,
    /// It never ends.
    Hanging,
    /// It succeeds, and then nothing is ever answered.
    Silent,
    /// It succeeds, and the connection ends at its first command that is not part of the handshake.
    Trap,
}

/// Shared by the connector and all that it has connected.
#[derive(Clone, Default)]
pub(crate) struct FakeRedis(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    door: Option<Door>,
    delay: Duration,
    /// Error lines that commands are answered with, by the command's name.
    errors: BTreeMap<String, String>,
    connects: usize,
    commands: Vec<String>,
    /// How often it was restarted.
    restarts: usize,
    /// What a scan finds after so many restarts from a cursor on, and where it then goes on.
    pages: BTreeMap<(usize, String), String>,
    links: Vec<Arc<Link>>,
}

#[derive(Default)]
struct Link {
    silent: Mutex<bool>,
    cut: Notify,
    restarts: usize,
}

impl FakeRedis {
    pub(crate) fn set_door(&self, door: Door) {
        self.lock().door = Some(door);
    }

    /// How long every command takes from now on.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    /// From now on `command` is answered with this error.
    pub(crate) fn refuse(&self, command: &str, error: &str) {
        self.lock().errors.insert(command.to_owned(), error.to_owned());
    }

    /// Every command is answered again.
    pub(crate) fn refuse_nothing(&self) {
        self.lock().errors.clear();
    }

    /// Swallows everything on the connections that are open now. New ones are fine.
    pub(crate) fn silence_open_connections(&self) {
        self.lock().links.iter().for_each(|link| *link.silent.lock().unwrap() = true);
    }

    /// Ends the connections that are open now.
    pub(crate) fn cut_open_connections(&self) {
        self.lock().links.drain(..).for_each(|link| link.cut.notify_one());
    }

    /// After so many restarts a scan finds these keys: each time a cursor, the next one, and what lies between.
    pub(crate) fn holds(&self, restarts: usize, pages: &[(u64, u64, &[&str])]) {
        for (at, next, keys) in pages {
            let found: String = keys.iter().map(|key| bulk(key)).collect();
            let page = format!("*2\r\n{}*{}\r\n{found}", bulk(&next.to_string()), keys.len());
            self.lock().pages.insert((restarts, at.to_string()), page);
        }
    }

    /// It is another process from now on.
    pub(crate) fn restart(&self) {
        self.lock().restarts += 1;
        self.cut_open_connections();
    }

    /// How many attempts to connect there were.
    pub(crate) fn connects(&self) -> usize {
        self.lock().connects
    }

    /// How often `command` arrived.
    pub(crate) fn count(&self, command: &str) -> usize {
        self.lock().commands.iter().filter(|name| *name == command).count()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    async fn accept(&self) -> io::Result<BoxStream> {
        let door = {
            let mut inner = self.lock();
            inner.connects += 1;
            inner.door.unwrap_or(Door::Open)
        };
        match door {
            Door::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
            Door::Hanging => std::future::pending().await,
            Door::Open | Door::Silent | Door::Trap => {}
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let link = Arc::new(Link {
            silent: Mutex::new(door == Door::Silent),
            cut: Notify::new(),
            restarts: self.lock().restarts,
        });
        self.lock().links.push(Arc::clone(&link));
        tokio::spawn(self.clone().serve(theirs, link, door));
        Ok(Box::pin(ours))
    }

    async fn serve(self, mut stream: DuplexStream, link: Arc<Link>, door: Door) {
        let mut received = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            let read = tokio::select! {
                biased;
                () = link.cut.notified() => return,
                read = stream.read(&mut chunk) => read.unwrap_or(0),
            };
            if read == 0 {
                return;
            }
            received.extend_from_slice(&chunk[..read]);
            while let Some(command) = take_command(&mut received) {
                if door == Door::Trap && !["CLIENT", "TIME", "INFO"].contains(&command[0].as_str()) {
                    return;
                }
                let delay = {
                    let mut inner = self.lock();
                    inner.commands.push(command[0].clone());
                    inner.delay
                };
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                if *link.silent.lock().unwrap() {
                    continue;
                }
                let reply = self.reply(&command, link.restarts);
                if stream.write_all(reply.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }

    fn reply(&self, command: &[String], restarts: usize) -> String {
        if let Some(error) = self.lock().errors.get(&command[0]) {
            return format!("-{error}\r\n");
        }
        match command[0].as_str() {
            "PING" => "+PONG\r\n".to_owned(),
            "TIME" => "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n".to_owned(),
            "INFO" => bulk(&format!("run_id:0123456789{restarts}\r\n")),
            "SCAN" => {
                let page = self.lock().pages.get(&(restarts, command[1].clone())).cloned();
                page.unwrap_or_else(|| "-ERR no such cursor\r\n".to_owned())
            }
            // The value is the key, so a reply to another request shows.
            "GET" => bulk(&command[1]),
            _ => "+OK\r\n".to_owned(),
        }
    }
}

impl Connect for FakeRedis {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(self.accept())
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// Takes the first command from what was received, if it is there as a whole: an array of bulk strings.
fn take_command(received: &mut Vec<u8>) -> Option<Vec<String>> {
    let (parts, mut at) = length_line(received, 0)?;
    let mut command = Vec::new();
    for _ in 0..parts {
        let (length, start) = length_line(received, at)?;
        at = start + length + 2;
        let bytes = received.get(start..start + length)?;
        command.push(String::from_utf8_lossy(bytes).into_owned());
    }
    if received.len() < at {
        return None;
    }
    received.drain(..at);
    Some(command)
}

/// The number on the line that begins at `at`, after its type, and where the next line begins.
fn length_line(received: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = received.get(at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let number = std::str::from_utf8(rest.get(1..end)?).ok()?.parse().ok()?;
    Some((number, at + end + 2))
}

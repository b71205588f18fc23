//! A server before a real Redis that answers some commands as it is told, and is honest about the others.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall_client::{Clock, Endpoint, Settings, Tcp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::redis::{Redis, Told, told};

/// What is answered to what has a certain text in it, handshakes included if that is empty.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) to: &'static str,
    pub(crate) with: Vec<u8>,
    pub(crate) then: Then,
}

/// What comes after the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next command.
    GoOn,
    /// Nothing, for ever.
    Silence,
    /// More of it, without end.
    More,
    /// The end of the connection.
    Close,
}

/// The server.
pub(crate) struct Crooked {
    pub(crate) port: u16,
    answer: Arc<Mutex<Option<Answer>>>,
    accepting: AbortHandle,
}

impl Crooked {
    pub(crate) async fn before(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answer = Arc::<Mutex<Option<Answer>>>::default();
        let (rule, behind) = (Arc::clone(&answer), redis.port);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, behind, Arc::clone(&rule)));
            }
        });
        Self { port, answer, accepting: accepting.abort_handle() }
    }

    /// From now on it answers so.
    pub(crate) fn answer(&self, to: &'static str, with: impl Into<Vec<u8>>, then: Then) {
        *self.answer.lock().expect("no panic") = Some(Answer { to, with: with.into(), then });
    }

    /// From now on it is honest.
    pub(crate) fn honest(&self) {
        *self.answer.lock().expect("no panic") = None;
    }

    /// A client of it.
    pub(crate) fn client(&self, writer: u32, settings: &Settings) -> Told {
        let host = "127.0.0.1".to_owned();
        let tcp = Tcp { host, port: self.port, keepalive: settings.keepalive.clone() };
        told(Endpoint::new(Arc::new(tcp)), writer, settings, Clock::system())
    }
}

impl Drop for Crooked {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// It ends when either side does.
async fn serve(mut client: TcpStream, behind: u16, rule: Arc<Mutex<Option<Answer>>>) -> Option<()> {
    let mut server = TcpStream::connect(("127.0.0.1", behind)).await.ok()?;
    let (mut chunk, mut replied, mut asked) = (vec![0; 1 << 16], vec![0; 1 << 16], Vec::new());
    loop {
        tokio::select! {
            read = client.read(&mut chunk) => {
                asked.extend_from_slice(&chunk[..read.ok().filter(|read| *read > 0)?]);
                while let Some(length) = first_command(&asked) {
                    let command: Vec<u8> = asked.drain(..length).collect();
                    let rule = rule.lock().expect("no panic").clone();
                    match rule.filter(|rule| has(&command, rule.to)) {
                        Some(answer) => {
                            if !answer.to.is_empty() {
                                settle(&mut client, &mut server).await?;
                            }
                            crook(&mut client, answer).await?;
                        }
                        None => server.write_all(&command).await.ok()?,
                    }
                }
            }
            read = server.read(&mut replied) => {
                let replied = &replied[..read.ok().filter(|read| *read > 0)?];
                client.write_all(replied).await.ok()?;
            }
        }
    }
}

/// Passes on the replies that are on their way, so that replies keep their order.
async fn settle(client: &mut TcpStream, server: &mut TcpStream) -> Option<()> {
    const MARK: &[u8] = b"$6\r\n#mark#\r\n";
    server.write_all(&[b"*2\r\n$4\r\nECHO\r\n", MARK].concat()).await.ok()?;
    let mut replied = Vec::new();
    while !replied.ends_with(MARK) {
        server.read_buf(&mut replied).await.ok().filter(|read| *read > 0)?;
    }
    client.write_all(&replied[..replied.len() - MARK.len()]).await.ok()
}

fn has(command: &[u8], text: &str) -> bool {
    text.is_empty() || command.windows(text.len()).any(|part| part == text.as_bytes())
}

/// How long the first command is, if all of it is there; what is none is one.
fn first_command(asked: &[u8]) -> Option<usize> {
    let line = |from: usize| {
        let end = from + asked.get(from..)?.windows(2).position(|pair| pair == b"\r\n")?;
        let number = std::str::from_utf8(&asked[from + 1..end]).ok()?.parse::<usize>().ok()?;
        Some((number, end + 2))
    };
    if asked.first().is_some_and(|first| *first != b'*') {
        return Some(asked.len());
    }
    let (parts, mut at) = line(0)?;
    for _ in 0..parts {
        let (length, from) = line(at)?;
        at = from + length + 2;
    }
    (asked.len() >= at).then_some(at)
}

async fn crook(client: &mut TcpStream, answer: Answer) -> Option<()> {
    client.write_all(&answer.with).await.ok()?;
    match answer.then {
        Then::GoOn => Some(()),
        Then::Close => None,
        Then::Silence => {
            // Until the client has had enough.
            let mut rest = vec![0; 1 << 16];
            while client.read(&mut rest).await.ok()? > 0 {}
            None
        }
        Then::More => {
            let more = answer.with.repeat((1 << 20) / answer.with.len().max(1));
            let limit = Duration::from_secs(60);
            tokio::time::timeout(limit, async { while client.write_all(&more).await.is_ok() {} })
                .await
                .ok()?;
            None
        }
    }
}

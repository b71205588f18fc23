//! What is never given back.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use squall_client::{BoxStream, Connect, Connecting};
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};

use super::Described;
use super::answers::Reply;
use super::host::Host;
use super::raw::{self, Raw};
use super::state::Turns;
use super::wrong::{Elsewhere, Wrong};
use crate::history::Sample;
use crate::load::Kind;
use crate::subject::{BoxFuture, Request, Route, Start};

/// Leaked connections at most: a leak need not fill the machine to be seen.
const MOST_LEAKED: usize = 200;

pub(super) const LEAKS_CONNECTIONS: Described = Described {
    name: "leaks-connections",
    check: "I17",
    wrong: "Every other get opens a connection and never closes it.",
    known_from: "bb8#59, jedis#4546",
    needs: "gets",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<Leaks>::default(),
};

pub(super) const GIVES_UP_WITHOUT_CLOSING: Described = Described {
    name: "gives-up-without-closing",
    check: "I17",
    wrong: "A connection that is given up stays open beside those that take its place.",
    known_from: "node-redis#1278, redisson#6007",
    needs: "connections that carry nothing for longer than the cool-downs of a few trips",
    shown_in: "blackhole/dropped",
    plant: kept_open,
};

pub(super) const KEEPS_EVERY_VERSION: Described = Described {
    name: "keeps-every-version",
    check: "I17",
    wrong: "The local copy keeps every version of every session.",
    known_from: "",
    needs: "writes, more than there are sessions",
    shown_in: "reset/idle-connections",
    plant: |_| Box::<KeepsAll>::default(),
};

#[derive(Default)]
struct Leaks {
    turns: Turns,
    leaked: Mutex<Vec<Raw>>,
}

impl Leaks {
    fn leaked(&self) -> MutexGuard<'_, Vec<Raw>> {
        self.leaked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wrong for Leaks {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            if request.kind == Kind::Get && self.turns.every(2) && self.leaked().len() < MOST_LEAKED {
                let connection = host.connection().await;
                self.leaked().extend(connection);
            }
            host.call(request).await
        })
    }
}

/// Every value that was ever written through it.
#[derive(Default)]
struct KeepsAll(Mutex<Vec<bytes::Bytes>>);

impl KeepsAll {
    fn kept(&self) -> MutexGuard<'_, Vec<bytes::Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wrong for KeepsAll {
    fn ask(&self, request: &mut Request) {
        self.kept().extend(request.value.clone());
    }

    fn sample(&self, sample: Sample) -> Sample {
        let kept = self.kept();
        let (count, bytes) = (kept.len() as u64, kept.iter().map(|value| value.len() as u64).sum::<u64>());
        Sample {
            local_sessions: sample.local_sessions.map(|sessions| sessions + count),
            local_bytes: sample.local_bytes.map(|local| local + bytes),
            ..sample
        }
    }
}

/// The streams that nobody uses any more.
type Given = Arc<Mutex<Vec<BoxStream>>>;

fn kept_open(start: &mut Start) -> Box<dyn Wrong> {
    let (sound, given_up) = (raw::plain(&start.route), Given::default());
    let credentials = start.route.credentials().clone();
    start.route = Route::Streams { connect: Arc::new(KeepsOpen { sound, given_up }), credentials };
    Box::new(Elsewhere)
}

struct KeepsOpen {
    sound: Arc<dyn Connect>,
    given_up: Given,
}

impl Connect for KeepsOpen {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let stream = Some(self.sound.connect().await?);
            Ok(Box::pin(Kept { stream, given_up: Arc::clone(&self.given_up) }) as BoxStream)
        })
    }

    fn stalled(&self) -> &'static str {
        self.sound.stalled()
    }

    fn hung_up(&self) -> &'static str {
        self.sound.hung_up()
    }
}

/// A stream that does not end when it is dropped.
struct Kept {
    stream: Option<BoxStream>,
    given_up: Given,
}

impl Kept {
    fn stream(&mut self) -> io::Result<Pin<&mut BoxStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Kept {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Kept {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It stays open.
        Poll::Ready(Ok(()))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).extend(self.stream.take());
    }
}

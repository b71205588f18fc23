//! One connection: bytes in, commands run, replies out. Waits for its stream and for its session, and for nothing else.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::exec::exec;
use super::reply::Reply;
use super::request::{Next, Parser};
use super::session::{Ending, Session};
use super::shell::{Inner, Shared};

/// How much is read at once.
const READ: usize = 16 << 10;
/// A client that has so many bytes of replies to read is given no more.
const OUTPUT_MAX: usize = 1 << 20;
/// A buffer that has grown larger is given back when it is empty.
const OUTPUT_KEPT: usize = 64 << 10;
/// After so many rounds others get their turn.
const ROUNDS: usize = 32;

/// A connection that is served.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    slot: usize,
    epoch: u64,
    admitted: bool,
    parser: Parser,
    output: Vec<u8>,
    written: usize,
    /// Written, but perhaps not sent.
    flush: bool,
    /// Bytes read that are not counted yet.
    received: u64,
}

/// What a look at the session brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It is over.
    Gone,
    /// Nothing is to be read for now.
    Stalled,
    /// It is over when the output is written.
    Last,
    /// There may be more commands in the buffer, once the output is written.
    Full,
    /// More is to be read.
    Hungry,
}

impl Connection {
    /// A session on the server; none when it is down.
    pub(crate) fn open(shared: Arc<Shared>) -> Option<Self> {
        let mut inner = shared.lock();
        if !inner.up {
            return None;
        }
        let now = shared.now(&inner);
        let (slot, epoch) = (inner.state.open(now), inner.epoch);
        drop(inner);
        Some(Self {
            shared,
            slot,
            epoch,
            admitted: false,
            parser: Parser::default(),
            output: Vec::new(),
            written: 0,
            flush: false,
            received: 0,
        })
    }

    /// Serves as far as it goes without waiting; ready when the connection is over.
    pub(crate) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<()> {
        for _ in 0..ROUNDS {
            let turn = self.turn(context);
            if matches!(turn, Turn::Gone) {
                return Poll::Ready(());
            }
            if turn == Turn::Stalled {
                return Poll::Pending;
            }
            let written = match self.poll_write(context, stream) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => false,
            };
            match turn {
                Turn::Last if written => return Poll::Ready(()),
                Turn::Full if written => continue,
                Turn::Last | Turn::Full => return Poll::Pending,
                Turn::Gone | Turn::Stalled | Turn::Hungry => {}
            }
            if self.output.len() - self.written > OUTPUT_MAX {
                return Poll::Pending;
            }
            match ready!(self.poll_read(context, stream)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(count) => self.received += count as u64,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Runs the commands that are in the buffer.
    fn turn(&mut self, context: &Context<'_>) -> Turn {
        let shared = Arc::clone(&self.shared);
        let mut inner = shared.lock();
        let inner = &mut *inner;
        if inner.epoch != self.epoch {
            return Turn::Gone;
        }
        let Some(mut session) = inner.state.take(self.slot) else { return Turn::Gone };
        let turn = self.turn_of(inner, &mut session, context);
        // What is published meanwhile waits in the session until this is written.
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
            std::mem::swap(&mut self.output, &mut session.output);
        }
        let turn = match session.ending {
            Ending::No => turn,
            Ending::AfterReplies if session.output.is_empty() => Turn::Last,
            Ending::AfterReplies => Turn::Full,
            Ending::Now => Turn::Gone,
        };
        inner.state.put_back(session);
        turn
    }

    fn turn_of(&mut self, inner: &mut Inner, session: &mut Session, context: &Context<'_>) -> Turn {
        if session.waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
            session.waker = Some(context.waker().clone());
        }
        if session.ending != Ending::No {
            return Turn::Last;
        }
        if inner.stalled() {
            return Turn::Stalled;
        }
        if !self.admitted && !self.admit(inner, session) {
            return Turn::Last;
        }
        inner.state.stats.input_bytes += std::mem::take(&mut self.received);
        loop {
            if self.output.len() - self.written + session.output.len() > OUTPUT_MAX {
                return Turn::Full;
            }
            match self.parser.next(session.authenticated) {
                Ok(Next::Incomplete) => return Turn::Hungry,
                Ok(Next::Command) => {
                    let now = self.shared.now(inner);
                    let mut argv = Vec::new();
                    self.parser.arguments(&mut argv);
                    let reply = exec(&mut inner.state, session, now, &argv);
                    session.reply(&reply);
                    if session.ending != Ending::No {
                        return Turn::Last;
                    }
                }
                Err(malformed) => {
                    if !malformed.0.is_empty() {
                        Reply::error(malformed.0).encode(session.resp3, &mut session.output);
                    }
                    session.end(Ending::AfterReplies);
                    return Turn::Last;
                }
            }
        }
    }

    /// Lets the connection in, or refuses it.
    fn admit(&mut self, inner: &mut Inner, session: &mut Session) -> bool {
        if inner.admitted >= inner.state.settings.max_clients {
            inner.state.stats.rejected_connections += 1;
            Reply::error("ERR max number of clients reached").encode(false, &mut session.output);
            session.end(Ending::AfterReplies);
            return false;
        }
        inner.admitted += 1;
        self.admitted = true;
        true
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<std::io::Result<()>> {
        while self.written < self.output.len() {
            let count = ready!(Pin::new(&mut *stream).poll_write(context, &self.output[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.flush = true;
        }
        self.output.clear();
        self.written = 0;
        if self.output.capacity() > OUTPUT_KEPT {
            self.output = Vec::new();
        }
        if self.flush {
            ready!(Pin::new(stream).poll_flush(context))?;
            self.flush = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<std::io::Result<usize>> {
        self.parser.buffer.reserve(READ);
        let polled = pin!(stream.read_buf(&mut self.parser.buffer)).poll(context);
        // An idle connection keeps no buffers.
        if polled.is_pending() && self.parser.is_idle() {
            self.parser.release();
            if self.output.is_empty() {
                self.output = Vec::new();
            }
        }
        polled
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        if inner.epoch == self.epoch {
            inner.state.close(self.slot);
            inner.admitted -= usize::from(self.admitted);
        }
    }
}

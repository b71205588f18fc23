//! In-memory byte streams that end and break as TCP connections do: an end lets the other side read the rest, a reset takes it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::Stream;

/// How much waits between writer and reader, as in the buffers of sockets.
const CAPACITY: usize = 128 * 1024;

/// One end of a connection.
#[derive(Debug)]
pub struct Memory {
    shared: Arc<Mutex<Shared>>,
    side: usize,
    reset_on_drop: bool,
}

#[derive(Debug, Default)]
struct Shared {
    /// What goes from side 0 to side 1, and back.
    ways: [Way; 2],
    reset: bool,
    /// Woken by a reset, whatever else they wait for.
    watchers: [Option<Waker>; 2],
}

#[derive(Debug, Default)]
struct Way {
    buffer: BytesMut,
    ended: bool,
    /// Whether nobody will read what is written.
    unread: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The two ends of a new connection.
pub fn pair() -> (Memory, Memory) {
    let shared = Arc::<Mutex<Shared>>::default();
    let end = |side| Memory { shared: Arc::clone(&shared), side, reset_on_drop: false };
    (end(0), end(1))
}

impl Memory {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn reset(&mut self) {
        self.reset = true;
        let ways = self.ways.iter_mut();
        let wakers = ways.flat_map(|way| {
            way.buffer = BytesMut::new();
            [way.reader.take(), way.writer.take()]
        });
        wakers.chain(self.watchers.iter_mut().map(Option::take)).flatten().for_each(Waker::wake);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut shared = self.shared();
        if shared.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let way = &mut shared.ways[1 - self.side];
        if way.buffer.is_empty() && !way.ended {
            way.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = way.buffer.len().min(into.remaining());
        into.put_slice(&way.buffer[..count]);
        way.buffer.advance(count);
        wake(&mut way.writer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.shared();
        if shared.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let way = &mut shared.ways[self.side];
        if way.ended || way.unread {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(CAPACITY - way.buffer.len());
        if count == 0 && !bytes.is_empty() {
            way.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        way.buffer.extend_from_slice(&bytes[..count]);
        wake(&mut way.reader);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.shared();
        if shared.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let way = &mut shared.ways[self.side];
        way.ended = true;
        wake(&mut way.reader);
        Poll::Ready(Ok(()))
    }
}

impl Stream for Memory {
    fn reset_on_drop(&mut self) {
        self.reset_on_drop = true;
    }

    fn poll_broken(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut shared = self.shared();
        if shared.reset {
            return Poll::Ready(());
        }
        shared.watchers[self.side] = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut shared = self.shared();
        // As a socket that is closed before everything was read.
        if self.reset_on_drop || !shared.ways[1 - self.side].buffer.is_empty() {
            return shared.reset();
        }
        shared.ways[1 - self.side].unread = true;
        wake(&mut shared.ways[1 - self.side].writer);
        shared.ways[self.side].ended = true;
        wake(&mut shared.ways[self.side].reader);
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn read(stream: &mut Memory) -> Result<String, ErrorKind> {
        let mut buffer = [0; 64];
        let count = stream.read(&mut buffer).await.map_err(|error| error.kind())?;
        Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    #[tokio::test]
    async fn an_end_lets_the_rest_be_read_and_the_other_way_go_on() {
        let (mut one, mut other) = pair();
        one.write_all(b"hello").await.unwrap();
        one.shutdown().await.unwrap();
        assert_eq!(read(&mut other).await.as_deref(), Ok("hello"));
        assert_eq!(read(&mut other).await.as_deref(), Ok(""));
        other.write_all(b"bye").await.unwrap();
        drop(other);
        assert_eq!(read(&mut one).await.as_deref(), Ok("bye"));
        assert_eq!(one.write_all(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_reset_takes_what_was_not_read_and_wakes_both() {
        let (mut one, mut other) = pair();
        one.write_all(b"lost").await.unwrap();
        one.reset_on_drop();
        drop(one);
        assert_eq!(read(&mut other).await, Err(ErrorKind::ConnectionReset));
        let (mut one, other) = pair();
        let reading = tokio::spawn(async move { read(&mut one).await });
        tokio::task::yield_now().await;
        let mut other = other;
        other.reset_on_drop();
        drop(other);
        assert_eq!(reading.await.unwrap(), Err(ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn closing_with_something_unread_resets() {
        let (mut one, other) = pair();
        one.write_all(b"unread").await.unwrap();
        drop(other);
        assert_eq!(read(&mut one).await, Err(ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn a_writer_waits_for_the_reader_and_sees_a_reset_meanwhile() {
        let (mut one, mut other) = pair();
        let writing = tokio::spawn(async move {
            one.write_all(&[b'x'; 2 * CAPACITY]).await.unwrap();
            let broken = std::future::poll_fn(|context| one.poll_broken(context)).await;
            (one, broken)
        });
        let mut got = vec![0; 2 * CAPACITY];
        other.read_exact(&mut got).await.unwrap();
        other.reset_on_drop();
        drop(other);
        writing.await.unwrap();
    }
}

//! What a link asks of the streams that it joins.

use std::fmt;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::subject::BoxFuture;

/// A byte stream that can be reset.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Resets the connection, which ends it for both sides, when this is dropped.
    fn reset_on_drop(&mut self);

    /// Ready when the other side has reset the connection, even while nothing is read.
    fn poll_broken(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

/// A TCP stream.
pub struct Tcp {
    stream: Arc<TcpStream>,
    /// Waits for a reset; there only while nothing is read.
    broken: Option<BoxFuture<'static, ()>>,
}

impl Tcp {
    /// Takes a stream over, and sends from now on without Nagle's delay: a client without that would meet delays that it does
    /// not meet without the link.
    pub fn new(stream: TcpStream) -> Self {
        // A stream that is broken already says so when it is used.
        let _ = stream.set_nodelay(true);
        Self { stream: Arc::new(stream), broken: None }
    }
}

impl Stream for Tcp {
    fn reset_on_drop(&mut self) {
        // With zero linger, closing sends a reset.
        let _ = self.stream.set_zero_linger();
        self.broken = None;
    }

    fn poll_broken(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let stream = &self.stream;
        let broken = self.broken.get_or_insert_with(|| {
            let stream = Arc::clone(stream);
            Box::pin(async move {
                let _ = stream.ready(Interest::ERROR).await;
            })
        });
        broken.as_mut().poll(context)
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.broken = None;
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            if let Some(read) = read(&self.stream, buffer.initialize_unfilled()) {
                return Poll::Ready(read.map(|count| buffer.advance(count)));
            }
        }
    }
}

/// Reads what is there; `None` when nothing is. A read that does not fill the buffer has emptied the socket, and tokio is told
/// so at once: the next poll need not ask the system to learn it.
fn read(stream: &TcpStream, buffer: &mut [u8]) -> Option<io::Result<usize>> {
    let mut got = None;
    let tried = stream.try_io(Interest::READABLE, || {
        let count = (&*SockRef::from(stream)).read(buffer)?;
        got = Some(count);
        if count > 0 && count < buffer.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match (got, tried) {
        (Some(count), _) => Some(Ok(count)),
        (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Some(Err(error)),
        (None, _) => None,
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(std::net::Shutdown::Write))
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tcp").field(&self.stream).finish()
    }
}

//! A stream that is watched for what Redis says first, and for replies that do not end.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connect::BoxStream;
use crate::replies::Replies;
use crate::settings::Settings;

/// What came in on a stream.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Its first bytes, [`FIRST`] at most.
    first: Mutex<Vec<u8>>,
    most: u64,
    /// What is said of more.
    too_large: &'static str,
}

/// The stream. It ends when a reply is larger than may be.
pub(crate) struct Watched {
    stream: BoxStream,
    seen: Arc<Seen>,
    replies: Replies,
    /// Bytes of the reply that has begun.
    since_reply: u64,
}

impl Seen {
    /// Nothing yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        let most = settings.local.bytes.saturating_mul(2).max(LEAST);
        Self { first: Mutex::default(), most, too_large: TOO_LARGE }
    }

    /// The same of one who is only asked where Redis is.
    pub(crate) fn of_guide() -> Self {
        Self { first: Mutex::default(), most: GUIDE_MOST, too_large: GUIDE_TOO_LARGE }
    }

    /// What the server said first, if that is an error. One that serves nobody says so before it is asked, and ends the
    /// connection.
    pub(crate) fn first_error(&self) -> Option<redis::RedisError> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let line =
            first.split_inclusive(|byte| *byte == b'\n').next().filter(|line| line.first() == Some(&b'-'))?;
        redis::parse_redis_value(line).ok()?.extract_error().err()
    }

    /// A reply begins with these bytes.
    fn begins(&self, bytes: &[u8]) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_empty() {
            first.extend_from_slice(&bytes[..bytes.len().min(FIRST)]);
        }
    }
}

impl Watched {
    pub(crate) fn new(stream: BoxStream, seen: &Arc<Seen>) -> Self {
        Self { stream, seen: Arc::clone(seen), replies: Replies::default(), since_reply: 0 }
    }

    /// These bytes came.
    fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.since_reply == 0 {
            self.seen.begins(bytes);
        }
        self.since_reply = match self.replies.came(bytes) {
            Some(after) => after as u64,
            None => self.since_reply.saturating_add(bytes.len() as u64),
        };
        if self.since_reply > self.seen.most { Err(io::Error::other(self.seen.too_large)) } else { Ok(()) }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.stream.as_mut().poll_read(context, buffer);
        match read {
            Poll::Ready(Ok(())) => Poll::Ready(self.came(&buffer.filled()[before..])),
            other => other,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// What is said of a reply that is larger than may be.
pub(crate) const TOO_LARGE: &str =
    "a reply is larger than twice local.bytes, so raise that, or find out who writes such values";

/// The same of an answer of a sentinel, or of a node of a cluster, to where Redis is.
pub(crate) const GUIDE_TOO_LARGE: &str = "its answer is larger than 16 MiB, so check host and port";

/// A thousand nodes need less than a tenth of it.
const GUIDE_MOST: u64 = 16 * 1024 * 1024;

/// What an error of a stream says if a reply was larger than may be.
pub(crate) fn too_large(error: &io::Error) -> Option<&'static str> {
    let told = error.to_string();
    [TOO_LARGE, GUIDE_TOO_LARGE].into_iter().find(|known| *known == told)
}

/// Replies of so many bytes are read whatever the local copy may hold.
const LEAST: u64 = 64 * 1024 * 1024;

/// Room for an error line.
const FIRST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CallError;

    fn watched(settings: &Settings) -> Watched {
        Watched::new(Box::pin(tokio::io::empty()), &Arc::new(Seen::new(settings)))
    }

    #[test]
    fn a_reply_may_be_as_large_as_twice_the_local_copy_and_no_larger() {
        let mut settings = Settings::default();
        settings.local.bytes = LEAST;
        let (mut watched, part) = (watched(&settings), vec![b'x'; 1 << 24]);
        // The length is of the reply too.
        let head = format!("${}\r\n", 2 * LEAST);
        for reply in 0..2 {
            assert!(watched.came(head.as_bytes()).is_ok());
            assert!(watched.came(&part[head.len()..]).is_ok(), "{reply}");
            assert!((1..8).all(|_| watched.came(&part).is_ok()), "{reply}");
            if reply == 0 {
                // It ends, and whoever asked for it need not be there.
                assert!(watched.came(&[&part[..head.len()], b"\r\n"].concat()).is_ok());
            }
        }
        assert_eq!(watched.came(b"x").unwrap_err().to_string(), TOO_LARGE);
    }

    #[test]
    fn only_an_error_that_comes_first_is_one() {
        let first = |text: &str| {
            let mut watched = watched(&Settings::default());
            watched.came(text.as_bytes()).unwrap();
            watched.came(b"-ERR later\r\n").unwrap();
            watched.seen.first_error().map(|error| CallError::from(&error))
        };
        let full = CallError::NotNow("max number of clients reached".to_owned());
        assert_eq!(first("-ERR max number of clients reached\r\n"), Some(full));
        assert_eq!(
            first("-DENIED Redis is running\r\n+OK\r\n"),
            Some(CallError::Refused("DENIED".to_owned()))
        );
        assert_eq!(first("+OK\r\n"), None);
        assert_eq!(first("-no end"), None);
    }
}

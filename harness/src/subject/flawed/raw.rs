//! A connection to Redis that is a flaw's own, and speaks RESP2 by hand: what the client would never send.

use std::io;
use std::sync::Arc;

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;
use squall_client::settings::KeepaliveSettings;
use squall_client::{BoxStream, Connect, Connecting};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::subject::{Credentials, Route};

/// A connection.
pub(super) struct Raw {
    stream: BoxStream,
    unread: Vec<u8>,
}

impl Raw {
    /// Opens one.
    pub(super) async fn open(redis: &dyn Connect) -> io::Result<Self> {
        Ok(Self { stream: redis.connect().await?, unread: Vec::new() })
    }

    /// Sends a command, and waits for nothing.
    pub(super) async fn send(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    /// Waits for the next reply.
    pub(super) async fn reply(&mut self) -> io::Result<OwnedFrame> {
        loop {
            if let Some((frame, length)) = decode(&self.unread).map_err(io::Error::other)? {
                self.unread.drain(..length);
                return Ok(frame);
            }
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Sends a command, and waits for its reply.
    pub(super) async fn ask(&mut self, parts: &[&[u8]]) -> io::Result<OwnedFrame> {
        self.send(parts).await?;
        self.reply().await
    }
}

/// Opens connections by the route, logged in where that is needed.
pub(super) fn connector(route: &Route) -> Arc<dyn Connect> {
    Arc::new(LoggedIn { plain: plain(route), credentials: route.credentials().clone() })
}

/// Opens connections by the route, and no more.
pub(super) fn plain(route: &Route) -> Arc<dyn Connect> {
    Arc::new(Plain(route.clone()))
}

struct Plain(Route);

impl Connect for Plain {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let connect = self.0.connect(&KeepaliveSettings::default()).map_err(io::Error::other)?;
            connect.connect().await
        })
    }
}

struct LoggedIn {
    plain: Arc<dyn Connect>,
    credentials: Credentials,
}

impl LoggedIn {
    async fn open(&self) -> io::Result<BoxStream> {
        let mut raw = Raw::open(self.plain.as_ref()).await?;
        let Credentials { username, password, database } = &self.credentials;
        if let Some(password) = password {
            let words = [Some("AUTH"), username.as_deref(), Some(password)];
            let words: Vec<&[u8]> = words.into_iter().flatten().map(str::as_bytes).collect();
            raw.ask(&words).await?;
        }
        if *database != 0 {
            raw.ask(&[b"SELECT", database.to_string().as_bytes()]).await?;
        }
        Ok(raw.stream)
    }
}

impl Connect for LoggedIn {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(self.open())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn replies_are_told_apart_however_their_bytes_come() {
        let (near, mut far) = duplex(5);
        let mut raw = Raw { stream: Box::pin(near), unread: Vec::new() };
        let server = async {
            let mut asked = vec![0; 24];
            far.read_exact(&mut asked).await.unwrap();
            far.write_all(b"$5\r\nvalue\r\n-WRONGTYPE no\r\n").await.unwrap();
            asked
        };
        let client = async { (raw.ask(&[b"GET", b"k1-12"]).await.unwrap(), raw.reply().await.unwrap()) };
        let (asked, (value, error)) = tokio::join!(server, client);
        assert_eq!(asked, b"*2\r\n$3\r\nGET\r\n$5\r\nk1-12\r\n");
        assert_eq!(value, OwnedFrame::BulkString(b"value".to_vec()));
        assert_eq!(error, OwnedFrame::Error("WRONGTYPE no".to_owned()));
    }
}

//! The embedded server, on a stream in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use squall::server::{Config, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use super::frame::Frame;

/// A server whose clock stands where it is put.
pub(crate) struct Embedded {
    server: Server,
    now: Arc<AtomicU64>,
    runtime: Runtime,
}

impl Embedded {
    /// An empty server.
    pub(crate) fn start(version: &str) -> Self {
        let now = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&now);
        let clock = Arc::new(move || read.load(Ordering::Relaxed));
        let server = Server::new(Config::new(version, 1, clock));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { server, now, runtime }
    }

    /// Puts the clock to this, in microseconds since 1970.
    pub(crate) fn set_time(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// Sends bytes on a connection of their own and reads replies up to the one that `RESET` gives, or to the end.
    pub(crate) fn exchange(&self, sent: &[u8]) -> Vec<Frame> {
        self.runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let (mut reader, mut writer) = tokio::io::split(ours);
            let client = async move {
                let write = async move {
                    // A server that ends the connection reads no further.
                    let _ = writer.write_all(sent).await;
                    writer
                };
                let read = async move {
                    let (mut bytes, mut frames) = (Vec::new(), Vec::new());
                    loop {
                        let count = reader.read_buf(&mut bytes).await.expect("the server answers");
                        if super::cut_all(&mut bytes, &mut frames) || count == 0 {
                            return frames;
                        }
                    }
                };
                let (_writer, frames) = tokio::join!(write, read);
                frames
            };
            let (frames, ()) = tokio::join!(client, self.server.serve(theirs));
            frames
        })
    }
}

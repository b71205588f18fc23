//! A real Redis server of the machine, for as long as a test runs.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::frame::Frame;

/// A server that listens in a folder of its own. It ends with this, and also when this process is killed: then the pipe to
/// the shell that watches over it closes.
pub(crate) struct Real {
    watcher: Child,
    folder: tempfile::TempDir,
    /// As in `7.0.15`.
    pub(crate) version: String,
}

const WATCH: &str = r#"redis-server --port 0 --unixsocket "$0/socket" --save "" --appendonly no --dir "$0" >/dev/null & 
read line; kill $!; wait $!"#;

impl Real {
    /// Starts a server. `None` if there is none on this machine, where that is allowed.
    pub(crate) fn start() -> Option<Self> {
        let found = Command::new("redis-server").arg("--version").output();
        let Ok(found) = found else {
            assert!(std::env::var_os("CI").is_none(), "redis-server must be in PATH where CI is set");
            eprintln!("SKIPPED: there is no redis-server in PATH to compare with");
            return None;
        };
        let text = String::from_utf8_lossy(&found.stdout).into_owned();
        let version = text.split("v=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("unknown");
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("sh");
        command.arg("-c").arg(WATCH).arg(folder.path()).stdin(Stdio::piped());
        let watcher = command.spawn().expect("sh starts");
        Some(Self { watcher, folder, version: version.to_owned() })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// A connection, as soon as the server takes it.
    pub(crate) fn connect(&self) -> UnixStream {
        for _ in 0..500 {
            if let Ok(stream) = UnixStream::connect(self.socket()) {
                stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
                return stream;
            }
            // It says nowhere that it is ready: its socket is the sign.
            let _ = Command::new("sleep").arg("0.02").status();
        }
        panic!("redis-server does not listen");
    }

    /// Whether its error texts are those that the embedded server gives.
    pub(crate) fn has_our_texts(&self) -> bool {
        self.version.starts_with("7.0.")
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// Sends bytes and reads replies up to the one that `RESET` gives, or to the end.
pub(crate) fn exchange(stream: &mut UnixStream, sent: &[u8]) -> Vec<Frame> {
    stream.write_all(sent).expect("the server reads");
    let (mut bytes, mut frames, mut chunk) = (Vec::new(), Vec::new(), vec![0; 1 << 16]);
    loop {
        let count = stream.read(&mut chunk).expect("the server answers");
        bytes.extend_from_slice(&chunk[..count]);
        if super::cut_all(&mut bytes, &mut frames) || count == 0 {
            return frames;
        }
    }
}

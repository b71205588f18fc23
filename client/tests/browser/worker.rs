//! A worker of the chat: the example, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::http::TOKEN;
use crate::redis::{Redis, eventually, free_port};

/// A worker that is killed when it goes out of scope.
pub(crate) struct Worker {
    pub(crate) port: u16,
    redis: u16,
    disk: PathBuf,
    child: Option<Child>,
}

impl Worker {
    /// Starts one, with a file of its own in this folder.
    pub(crate) async fn start(redis: &Redis, folder: &Path) -> Self {
        let port = free_port();
        let disk = folder.join(format!("{port}.sessions"));
        let mut worker = Self { port, redis: redis.port, disk, child: None };
        worker.start_again().await;
        worker
    }

    /// Starts it again, where it was.
    pub(crate) async fn start_again(&mut self) {
        let child = Command::new(program())
            .args(["--listen", &format!("127.0.0.1:{}", self.port), "--cool-down", "500ms", "--disk"])
            .arg(&self.disk)
            .env("CHANNEL_REDIS_URL", format!("redis://127.0.0.1:{}", self.redis))
            .env("CHAT_TOKEN", TOKEN)
            .env_remove("REDIS_SESSION_TTL")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("the worker starts"));
        let port = self.port;
        eventually("the worker listens", || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn end(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.expect("kill runs").success());
        let ended = tokio::task::spawn_blocking(move || child.wait());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await;
        let status = ended.expect("it ends").expect("no panic").expect("a status");
        assert!(status.success(), "{status}");
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child ends");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program. Cargo has just built it, unless it was told to build one test alone: then it is built here.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let tests = std::env::current_exe().expect("a name");
        let built = tests.ancestors().nth(2).expect("target/debug").join("examples/chat");
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let newest = [package.join("src"), package.join("examples/chat")].map(|folder| changed(&folder));
        let made = std::fs::metadata(&built).and_then(|file| file.modified()).ok();
        if made < newest.into_iter().max() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--quiet", "-p", "squall-client", "--example", "chat"]).current_dir(package);
            if !cfg!(debug_assertions) {
                cargo.arg("--release");
            }
            assert!(cargo.status().expect("cargo runs").success());
        }
        built
    })
}

/// When a file below it changed last.
fn changed(folder: &Path) -> SystemTime {
    let entries =
        std::fs::read_dir(folder).expect("it can be read").map(|entry| entry.expect("a name").path());
    let times = entries.map(|path| match path.is_dir() {
        true => changed(&path),
        false => std::fs::metadata(&path).and_then(|file| file.modified()).expect("a time"),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

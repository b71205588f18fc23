//! What these tests have in common.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use squall::history::{History, Left};
use squall::load::Through;
use squall::plan::{Plan, Strike};
use squall::recorder::Recorder;
use squall::run::{RunError, Stage, run};
use squall::scenario::find;
use squall::stop::Stop;
use squall::subject::process::Process;
use squall::subject::{BoxFuture, Credentials, Route, Start};
use squall::world::{World, WorldError};
use squall_client::{Clock, Settings};

/// Long enough for anything that must happen, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A short run of two instances without faults.
pub(crate) const SHORT: &str = r#"
proves = "A run of a process has a beginning and an end"
[client]
operation_timeout = "200ms"
deadline = "500ms"
[load]
instances = 2
sessions = 4
rate = "40/s"
[judge]
resync_within = "100ms"
[[phase]]
name = "calm"
for = "1s"
[[expect.told]]
of = "settings"
line = "*\"deadline\": \"500ms\"*"
"#;

/// A world without Redis: there is a port, and nobody listens on it.
struct Nowhere;

impl World for Nowhere {
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn route(&self, _instance: u16) -> Route {
        Route::Tcp { host: "127.0.0.1".to_owned(), port: 1, credentials: Credentials::default(), ca: None }
    }

    fn connections(&self, _instance: u16) -> u64 {
        0
    }

    fn begin<'a>(&'a self, _: u32, _: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(async { Ok(()) })
    }

    fn end<'a>(&'a self, _: u32, _: &'a Strike) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(async { Ok(()) })
    }

    fn look<'a>(&'a self, _key: &'a str) -> BoxFuture<'a, Result<Option<Left>, WorldError>> {
        Box::pin(async { Ok(None) })
    }

    fn content<'a>(&'a self, _key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, WorldError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), WorldError>> {
        Box::pin(async { Ok(()) })
    }
}

/// The command of the small subject that misbehaves in the way named; its processes are found by `mark`.
pub(crate) fn command(way: &str, mark: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process_subject/subject.py");
    format!("'{}' '{}' {way} {mark}", python(), script.display())
}

/// The interpreter itself. What goes by its name may be a script that looks for it at every start, which takes most of the time.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let said = String::from_utf8(asked.expect("python3 can be run").stdout).unwrap();
        said.trim().to_owned()
    })
}

pub(crate) fn subject(way: &str, mark: &str) -> Process {
    Process::new(command(way, mark).parse().unwrap())
}

/// Runs the short scenario on a subject that misbehaves.
pub(crate) async fn run_of(way: &str, mark: &str, stop: Stop) -> Result<History, RunError> {
    run_scenario(SHORT, way, mark, stop).await
}

/// Runs a scenario on such a subject.
pub(crate) async fn run_scenario(text: &str, way: &str, mark: &str, stop: Stop) -> Result<History, RunError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.toml");
    std::fs::write(&path, text).unwrap();
    let scenario = find(&[path]).unwrap()[0].load().unwrap();
    let stage = Stage {
        world: Box::new(Nowhere),
        world_name: "nowhere".to_owned(),
        subject: Arc::new(subject(way, mark)),
        recorder: Recorder::new(Clock::system()),
        progress: Arc::new(|_| {}),
        stop,
    };
    tokio::time::timeout(3 * SOON, run(Arc::new(Plan::new(&scenario, 7)), stage))
        .await
        .expect("the run ends soon")
}

/// What an instance needs to start on its own.
pub(crate) fn start(settings: &Settings) -> Start {
    Start {
        instance: 0,
        route: Route::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 1,
            credentials: Credentials::default(),
            ca: None,
        },
        settings: serde_json::to_value(settings).unwrap(),
        through: Through::Sessions,
        encryption: None,
        environment: None,
        seed: 7,
        clock: Clock::system(),
        observer: Arc::new(|_| {}),
        disk: None,
    }
}

/// A word that nobody else's processes have on their command line.
pub(crate) fn mark(test: &str) -> String {
    format!("squall-test-{}-{test}", std::process::id())
}

/// Waits until no process has `mark` on its command line; those that are left after a while are returned.
pub(crate) async fn leftovers(mark: &str) -> Vec<String> {
    let mut left = Vec::new();
    for _ in 0..200 {
        left = with_mark(mark);
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    left
}

/// Processes with `mark` on their command line.
pub(crate) fn with_mark(mark: &str) -> Vec<String> {
    let Ok(all) = std::fs::read_dir("/proc") else { return with_mark_by_ps(mark) };
    let lines = all.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(mark)).collect()
}

/// The same where there is no /proc.
fn with_mark_by_ps(mark: &str) -> Vec<String> {
    let output = Command::new("ps").args(["-A", "-o", "args="]).output().unwrap();
    let all = String::from_utf8_lossy(&output.stdout).into_owned();
    all.lines().filter(|line| line.contains(mark)).map(str::to_owned).collect()
}

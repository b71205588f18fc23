//! Test processes of their own, for what can only be seen from outside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use squall::fault::{Act, ServerAct};
use squall::world::World as _;
use squall::world::local::sweep;

use crate::stage::{own, start, strike};

const ROLE: &str = "SQUALL_TEST_ROLE";

/// Starts this test program as another process that plays `role`, with a folder of its own for what is temporary.
pub(crate) fn play(role: &str, temporary: &Path, settings: &[(&str, &str)]) -> Child {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(["--exact", "process::plays_its_role", "--nocapture"]).env(ROLE, role);
    command.env("TMPDIR", temporary).envs(settings.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// Waits for the line that a process says for its parent.
pub(crate) fn line(child: &mut Child) -> String {
    let out = child.stdout.take().expect("its output is piped");
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    lines.find_map(|line| Some(line.split_once("says: ")?.1.to_owned())).expect("it says something")
}

/// What runs have left below the folder for what is temporary: folders, and processes that work there.
pub(crate) fn left(temporary: &Path) -> Vec<String> {
    let temporary = temporary.canonicalize().unwrap();
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let folders = entries(&temporary).map(|path| path.display().to_string());
    folders.chain(servers(&temporary).into_iter().map(|server| format!("process {server}"))).collect()
}

/// The processes that work below a folder.
pub(crate) fn servers(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let works_there = |process: &std::path::PathBuf| {
        std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd != folder && cwd.starts_with(&folder))
    };
    let number = |process: std::path::PathBuf| process.file_name().unwrap().to_string_lossy().into_owned();
    processes.filter(works_there).map(number).collect()
}

/// Sends a signal, such as `INT`.
pub(crate) fn signal(name: &str, process: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), process]).status().unwrap();
    assert!(sent.success(), "kill -{name} {process}");
}

#[expect(clippy::print_stdout, reason = "this is how it talks to the process that started it")]
fn say(what: &str) {
    println!("says: {what}");
    std::io::stdout().flush().expect("somebody listens");
}

/// No test of its own: what other tests start as a process.
#[tokio::test(flavor = "multi_thread")]
async fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    match role.split_once('=').unwrap_or((&role, "")) {
        ("hold", struck) => {
            let world = start(&own()).await.expect("it starts");
            if struck == "paused" {
                world.begin(0, &strike(Act::Server(ServerAct::Pause), &[])).await.expect("it pauses");
            }
            say("up");
            std::future::pending::<()>().await;
        }
        ("sweep", _) => {
            let world = start(&own()).await.expect("it starts");
            sweep().await;
            say(&format!("exists: {}", world.folder().is_some_and(Path::exists)));
            std::process::exit(0);
        }
        ("stop", after) => {
            let after = Duration::from_millis(after.parse().expect("milliseconds"));
            let left = tokio::time::timeout(after, start(&own())).await;
            sweep().await;
            say("swept");
            // Whatever was up is left as it is: only the sweep counts.
            std::mem::forget(left);
            std::process::exit(0);
        }
        (other, _) => panic!("no such role: {other}"),
    }
}

//! The program itself in the local world: what it leaves, what it shows, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::foreign::{Foreign, PASSWORD};
use crate::process::{left, servers, signal};
use crate::stage::there_is_a_server;

const SCENARIO: &str = r#"
proves = "An outage of a second is served from memory and leaves nothing behind"

[client]
breaker = { cool_down = "500ms", cool_down_max = "1s" }

[load]
instances = 2
sessions = 10
rate = "100/s"

[[phase]]
name = "steady"
for = "2s"

[[phase]]
name = "outage"
for = "1s"
faults = [{ inject = "refuse" }]

[[phase]]
name = "calm"
for = "6s"
"#;

/// The program in a folder of its own.
struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        Self::with(SCENARIO)
    }

    /// For another scenario.
    fn with(scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("scenarios")).unwrap();
        std::fs::create_dir_all(folder.path().join("temporary")).unwrap();
        std::fs::write(folder.path().join("scenarios/short.toml"), scenario).unwrap();
        Self { folder }
    }

    fn temporary(&self) -> std::path::PathBuf {
        self.folder.path().join("temporary")
    }

    /// Starts `squall run --world local`.
    fn run(&self, settings: &[(&str, &str)]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(["run", "--world", "local", "--seed", "7"]).current_dir(self.folder.path());
        command.env("TMPDIR", self.temporary()).env_remove("SQUALL_REDIS_URL").env_remove("CI");
        command.envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Waits until the program says something, and returns what it said until then.
fn hears(child: &mut Child, what: &str) -> String {
    let mut said = String::new();
    let error = child.stderr.take().unwrap();
    let mut lines = BufReader::new(error);
    while !said.contains(what) {
        assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{said}");
    }
    child.stderr = Some(lines.into_inner());
    said
}

/// The exit code, and everything that it said.
fn ends(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

fn everything_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        text.push_str(&match path.is_dir() {
            true => everything_below(&path),
            false => std::fs::read_to_string(&path).unwrap_or_default(),
        });
    }
    text
}

#[test]
fn nothing_is_left_when_it_is_interrupted_once_or_twice() {
    if !there_is_a_server() {
        return;
    }
    for times in [1, 2] {
        let program = Program::new();
        let mut child = program.run(&[]);
        hears(&mut child, "phase steady");
        assert_eq!(left(&program.temporary()).len(), 2, "a folder and a process");
        for _ in 0..times {
            signal("INT", &child.id().to_string());
        }
        let (code, said) = ends(child);
        assert_eq!(code, Some(130), "{said}");
        assert_eq!(left(&program.temporary()), [""; 0]);
    }
}

#[test]
fn nothing_is_left_of_several_servers_when_it_is_interrupted() {
    if !there_is_a_server() {
        return;
    }
    let program = Program::with(&SCENARIO.replace("[load]", "[redis]\ntopology = \"sentinel\"\n[load]"));
    for (when, count) in [("starting the servers", None), ("phase outage", Some(12))] {
        let mut child = program.run(&[]);
        hears(&mut child, when);
        if let Some(count) = count {
            assert_eq!(left(&program.temporary()).len(), count, "folders and processes");
        }
        signal("INT", &child.id().to_string());
        let (code, said) = ends(child);
        assert_eq!(code, Some(130), "{said}");
        assert_eq!(left(&program.temporary()), [""; 0]);
    }
}

#[test]
fn a_server_that_dies_by_itself_makes_a_run_invalid_and_its_last_words_are_quoted() {
    if !there_is_a_server() {
        return;
    }
    let program = Program::new();
    let mut child = program.run(&[]);
    hears(&mut child, "phase steady");
    let server = servers(&program.temporary()).pop().unwrap();
    signal("TERM", &server);
    let (code, said) = ends(child);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("it ended by itself") && said.contains("User requested shutdown"), "{said}");
    assert_eq!(left(&program.temporary()), [""; 0]);
}

#[test]
fn a_client_that_tells_the_password_is_caught_and_its_history_shows_none() {
    let Some(foreign) = Foreign::start() else { return };
    let program = Program::new();
    let canary = r#"canary = { flaw = "settings-show-the-password", fails = "expect.told[0]" }"#;
    let told = r#"
[[expect.told]]
of = "settings"
line = "*<the password of redis>*"
never = true
"#;
    std::fs::write(program.folder.path().join("scenarios/short.toml"), format!("{canary}\n{SCENARIO}{told}"))
        .unwrap();
    let (code, said) = ends(program.run(&[("SQUALL_REDIS_URL", &foreign.url(PASSWORD, 2))]));
    assert_eq!(code, Some(0), "{said}");
    let shown = said + &everything_below(&program.folder.path().join("reports"));
    assert!(shown.contains("<the password of redis>") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_run_on_a_server_of_others_leaves_it_as_it_was_and_shows_no_password() {
    let Some(mut foreign) = Foreign::start() else { return };
    let program = Program::new();
    let url = foreign.url(PASSWORD, 2);
    let (code, said) = ends(program.run(&[("SQUALL_REDIS_URL", &url)]));
    assert_eq!(code, Some(0), "{said}");
    let result = program.folder.path().join("reports/short/local-7/result.json");
    let replay = r#"--world local --seed 7 --redis-url \"$SQUALL_REDIS_URL\""#;
    assert!(std::fs::read_to_string(result).unwrap().contains(replay));
    let shown = said + &everything_below(&program.folder.path().join("reports"));
    assert!(!shown.contains(PASSWORD) && !shown.contains("s3cret"), "{shown}");
    foreign.assert_untouched();
}

#[test]
fn an_interrupted_run_on_a_server_of_others_leaves_it_as_it_was() {
    let Some(mut foreign) = Foreign::start() else { return };
    let program = Program::new();
    let mut child = program.run(&[("SQUALL_REDIS_URL", &foreign.url(PASSWORD, 2))]);
    hears(&mut child, "phase steady");
    assert!(foreign.keys(2).len() > 3, "the run has keys of its own there");
    signal("INT", &child.id().to_string());
    let (code, said) = ends(child);
    assert_eq!(code, Some(130), "{said}");
    foreign.assert_untouched();
}

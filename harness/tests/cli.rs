//! The program itself, on input that needs no Docker: exit codes, and what it says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program in a folder of its own, which has one valid scenario.
struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        let program = Self { folder: tempfile::tempdir().unwrap() };
        program.write("scenarios/outage/short.toml", squall::scenario::TEMPLATE);
        program
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(line.split_whitespace()).current_dir(self.path());
        command
            .env_remove("SQUALL_SEED")
            .env_remove("SQUALL_REDIS_URL")
            .env_remove("CI")
            .stdin(Stdio::null());
        command
    }

    /// The exit code, standard output and standard error.
    fn run(&self, line: &str) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(line).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// Runs a line that must be refused with exit code 2, and returns what the program says.
    fn refused(&self, line: &str) -> String {
        let (code, out, error) = self.run(line);
        assert_eq!((code, out.as_str()), (2, ""), "{line}: {error}");
        assert!(!error.contains("panicked") && error.contains("error"), "{line}: {error}");
        error
    }
}

#[test]
fn wrong_usage_is_refused_with_code_2_and_a_cure() {
    let program = Program::new();
    for (line, cure) in [
        ("", "Usage: squall <COMMAND>"),
        ("rum", "similar subcommand exists: 'run'"),
        ("run --wrld containers", "--world"),
        ("run --world mars", "containers"),
        ("run --redis-url redis://h", "--world local"),
        ("run --server redis-server", "--world local"),
        ("run --allow-destructive", "--world local"),
        ("run --world local --image redis:8.0.2", "--world containers"),
        ("run --world local --allow-destructive", "--redis-url"),
        ("run --world local --redis-url rediss://:s3cret@h", "TLS"),
        ("run --world local --redis-url redis://:s3cret@h/x", "whole number"),
        ("run --world local --redis-url s3cret", "%40"),
        ("run --world local --redis-url redis://:s3cret@h --server x", "cannot be used with"),
        ("run --seed=-1", "invalid digit"),
        ("run --seed x", "invalid digit"),
        ("run --repeat 0", "1..=10000"),
        ("run --jobs 0", "1..=256"),
        ("run --flaw none", "resync-off"),
        ("run --subject= --world containers", "the command is empty"),
        ("run --subject 'a", "is not closed"),
        ("run --subject sh --flaw resync-off", "cannot be used with"),
        ("run --subject sh", "use --world local or --world containers"),
        ("run --world local --subject no-such-program", "there is no program no-such-program on the PATH"),
        ("run --world local --subject ./missing", "there is no program ./missing"),
        ("subject-check", "<COMMAND>"),
        ("subject-check no-such-program", "there is no program no-such-program on the PATH"),
        ("run --image=-x", "not the name of an image"),
        ("run --image a\u{1b}b", "--image"),
        ("run --filter zzz", "squall list"),
        ("run missing.toml", "give the path of a scenario file"),
        ("check missing", "give the path of a scenario file"),
        ("list missing", "give the path of a scenario file"),
        ("recheck missing.jsonl", "failed to open missing.jsonl"),
        ("new", "<NAME>"),
        ("coverage", "failed to read reports"),
        ("coverage scenarios", "`squall run` leaves such results"),
        ("coverage --at-least 101", "0..=100"),
    ] {
        let (code, _, error) = program.run(line);
        assert_eq!(code, 2, "{line}: {error}");
        assert!(error.contains(cure) && !error.contains("error: error"), "{line}: {error}");
        assert!(!error.contains("s3cret"), "{line}: {error}");
    }
}

#[test]
fn nothing_runs_while_one_scenario_is_not_valid() {
    let program = Program::new();
    program.write("scenarios/outage/wrong.toml", "proves = \"x\"\nlod = 3\n");
    let error = program.refused("run");
    assert!(error.contains("wrong.toml:2") && error.contains("did you mean"), "{error}");
    assert!(error.contains("nothing was run: 1 scenario not valid"), "{error}");
    assert!(!program.path().join("reports").exists());
}

#[test]
fn reports_that_cannot_be_written_are_noticed_before_anything_runs() {
    let program = Program::new();
    program.write("file", "");
    assert!(program.refused("run --report file/reports").contains("choose another --report"));
    assert!(program.refused("run --report file").contains("choose another --report"));
}

#[test]
fn check_prints_every_error_of_every_file() {
    let program = Program::new();
    assert_eq!(program.run("check").0, 0);
    program.write("scenarios/a.toml", "proves = 3\n");
    program.write("scenarios/b.toml", "]");
    let (code, out, error) = program.run("check");
    assert_eq!((code, out.as_str()), (2, "3 scenarios: 1 valid, 2 not\n"));
    assert!(error.contains("a.toml") && error.contains("b.toml"), "{error}");
}

#[test]
fn list_shows_names_lengths_phases_and_what_is_proved() {
    let program = Program::new();
    let (code, out, _) = program.run("list");
    assert_eq!(code, 0);
    assert!(out.starts_with("outage/short   16 s  steady, outage, calm\n    While Redis refuses"), "{out}");
    let (code, out, _) = program.run("list --json");
    let listed: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, listed[0]["name"].as_str()), (0, Some("outage/short")));
    assert_eq!(listed[0]["phases"].as_array().map(Vec::len), Some(3));
}

#[test]
fn list_goes_on_past_a_scenario_that_is_not_valid() {
    let program = Program::new();
    program.write("scenarios/a.toml", "");
    let (code, out, error) = program.run("list");
    assert!(code == 2 && out.contains("outage/short") && error.contains("a.toml"), "{code} {out} {error}");
}

#[test]
fn a_reader_who_leaves_early_harms_nothing() {
    let program = Program::new();
    for number in 0..400 {
        program.write(&format!("scenarios/many/s{number}.toml"), squall::scenario::TEMPLATE);
    }
    let mut child = program.command("list").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(first.starts_with("many/s0"), "{first}");
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn the_exit_code_is_the_same_where_nobody_reads() {
    let program = Program::new();
    program.write("scenarios/wrong.toml", "]");
    let mut child = program.command("check").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn new_writes_a_scenario_that_is_valid_and_overwrites_nothing() {
    let program = Program::new();
    let (code, out, _) = program.run("new reset/my-first");
    assert!(code == 0 && out.contains("squall run scenarios/reset/my-first.toml"), "{out}");
    assert_eq!(program.run("check scenarios/reset/my-first.toml").0, 0);
    program.write("scenarios/reset/my-first.toml", "mine");
    assert!(program.refused("new reset/my-first").contains("is there already"));
    let kept = fs::read_to_string(program.path().join("scenarios/reset/my-first.toml")).unwrap();
    assert_eq!(kept, "mine");
}

#[test]
fn new_refuses_names_that_lead_elsewhere() {
    let program = Program::new();
    for name in ["../x", "/tmp/x", "a/../../x", "Upper", "a//b"] {
        assert!(program.refused(&format!("new {name}")).contains("is no name for a scenario"), "{name}");
    }
}

#[test]
fn a_named_pipe_is_no_scenario() {
    let program = Program::new();
    let pipe = program.path().join("scenarios/pipe.toml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (code, _, error) = program.run("check scenarios/pipe.toml");
    assert!(code == 2 && error.contains("it is no plain file"), "{error}");
    assert_eq!(program.run("list").0, 2);
}

#[test]
fn recheck_refuses_what_is_no_history() {
    let program = Program::new();
    program.write("empty.jsonl", "");
    assert!(program.refused("recheck empty.jsonl").contains("the history is empty"));
    program.write("torn.jsonl", "{\"schema\":1,");
    assert!(program.refused("recheck torn.jsonl").contains("line 1"));
    assert!(program.refused("recheck scenarios").contains("failed to read scenarios"));
}

#[test]
fn help_has_examples_everywhere_and_the_exit_codes() {
    let program = Program::new();
    for command in ["", "run", "list", "check", "new", "recheck", "coverage", "subject-check"] {
        let (code, out, _) = program.run(&format!("{command} --help"));
        assert!(code == 0 && out.contains("Examples:"), "{command}: {out}");
    }
    assert!(program.run("run --help").1.contains("Exit codes:"));
}

/// A short run without faults, in virtual time.
const CALM: &str = "proves = \"A calm run is fine, and nothing more happens in it\"
load = { sessions = 10, rate = \"50/s\", mix = { get = 1, update = 1 } }
[[phase]]
name = \"calm\"
for = \"2s\"
";

#[test]
fn a_canary_that_lives_fails_the_suite_and_one_that_is_caught_does_not() {
    let program = Program::new();
    let canary = |fails: &str| CALM.replacen("load", &format!("canary = {{ fails = \"{fails}\" }}\nload"), 1);
    program.write("scenarios/lives.toml", &canary("I1"));
    let (code, out, _) = program.run("run scenarios/lives.toml --quiet");
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("FAIL  canary: I1 must fail") && out.contains("nothing else failed either"),
        "{out}"
    );
    let slow = "[[expect.metric]]\nof = \"get.max\"\nis = \"< 0s\"\n";
    program.write("scenarios/caught.toml", &(canary("expect.metric[0]") + slow));
    let (code, out, _) = program.run("run scenarios/caught.toml");
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("pass") && out.contains("canary: expect.metric[0] failed, as it must"), "{out}");
    let junit = fs::read_to_string(program.path().join("reports/junit.xml")).unwrap();
    assert!(junit.contains("name=\"canary\" value=\"expect.metric[0] must fail\""), "{junit}");
    let (code, out, _) = program.run("run scenarios/caught.toml --flaw resync-off");
    assert!(code == 4 && out.contains("skipped: a canary"), "{out}");
}

#[test]
fn what_no_run_shows_leaves_the_suite_unknown_while_its_runs_pass() {
    let program = Program::new();
    let sometimes = |operation: &str| {
        format!(
            "{CALM}[[expect.sometimes]]\nseen = {{ breaker = \"closed\", operation = \"{operation}\" }}\n"
        )
    };
    program.write("scenarios/some.toml", &sometimes("touch"));
    let (code, out, _) = program.run("run scenarios/some.toml --repeat 2");
    assert_eq!(code, 4, "{out}");
    assert!(out.contains("2 runs: 2 pass") && out.contains("in none of 2 runs"), "{out}");
    assert!(out.contains("none of them a touch"), "{out}");
    program.write("scenarios/some.toml", &sometimes("get"));
    assert_eq!(program.run("run scenarios/some.toml").0, 0);
}

#[test]
fn where_runs_have_been_is_shown_at_once_and_added_up_afterwards() {
    let program = Program::new();
    let (code, out, _) = program.run("run --coverage --quiet");
    assert!(code == 0 && out.contains("of 672 that can be reached"), "{out}");
    let table = fs::read_to_string(program.path().join("reports/coverage.csv")).unwrap();
    assert!(table.contains("refuse,open,local,get,"), "{table}");
    let (code, again, _) = program.run("coverage");
    assert!(code == 0 && again.starts_with("1 run\n"), "{again}");
    let share = |text: &str| text.lines().find(|line| line.contains("can be reached")).unwrap().to_owned();
    assert_eq!(share(&out), share(&again));
    assert_eq!(program.run("coverage --at-least 95").0, 1);
    assert_eq!(program.run("coverage --world local").0, 2);
}

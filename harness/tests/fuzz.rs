//! `squall fuzz` itself: what it finds, what it leaves, and how it goes on after it was interrupted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use squall_client::{Clock, Time};

/// The program with a folder of its own for reports.
struct Program {
    folder: tempfile::TempDir,
}

/// How long an interrupted hunt may take to have noted anything.
const NOTES_WITHIN: Duration = Duration::from_secs(120);

impl Program {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command.env_remove("SQUALL_SEED").stdin(Stdio::null());
        command
    }

    /// The exit code, standard output and standard error.
    fn run(&self, line: &str) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(line).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// The files of a folder.
    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let found = fs::read_dir(self.folder.path().join(folder)).into_iter().flatten();
        found.map(|file| file.unwrap().path()).collect()
    }
}

#[test]
fn a_planted_flaw_is_found_and_the_file_that_is_left_repeats_it() {
    let program = Program::new();
    let hunt = "fuzz --seeds 300 --flaw ttl-reset-on-update";
    let (code, out, error) = program.run(hunt);
    assert_eq!(code, 1, "{out}{error}");
    let [file] = program.files("reports/found").try_into().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let check = text.strip_prefix("# ").and_then(|text| text.split(',').next()).unwrap();
    assert!(["I7", "I9"].contains(&check), "{text}");
    assert!(text.matches("[[operation]]").count() <= 5, "{text}");
    assert!(text.matches("[[phase.faults]]").count() <= 1, "{text}");

    // The command that it prints fails by the same check, and without the flaw the file passes.
    let replay = out.lines().find(|line| line.starts_with("squall run")).unwrap();
    let (code, again, _) = program.run(replay.strip_prefix("squall ").unwrap());
    assert!(code == 1 && again.contains(&format!("FAIL  {check}")), "{again}");
    let sound = replay.split(" --flaw").next().unwrap();
    assert_eq!(program.run(sound.strip_prefix("squall ").unwrap()).0, 0);

    // What failed is kept, and comes first the next time.
    let (code, _, error) = program.run(hunt);
    assert!(code == 1 && error.contains("first again what failed before: 1 seed"), "{error}");
}

#[test]
fn a_hunt_that_was_killed_goes_on_where_it_was() {
    let program = Program::new();
    let hunt = "fuzz --seeds 60 --quiet";
    let mut killed = program.command(hunt).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let noted = || {
        program.files("reports/fuzz").iter().any(|file| file.extension().is_some_and(|kind| kind == "json"))
    };
    let clock = Clock::system();
    while !noted() {
        assert!(clock.now() < Time::after_start(NOTES_WITHIN), "it notes nothing");
        std::thread::yield_now();
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let (code, out, error) = program.run(hunt);
    assert_eq!(code, 0, "{out}{error}");
    assert!(error.contains("going on where an earlier run of the program ended"), "{error}");
    // It came to its end, so the next one begins anew.
    let (_, _, error) = program.run("fuzz --seeds 60 --quiet --for 1ms");
    assert!(!error.contains("going on"), "{error}");
}

#[test]
fn what_makes_no_sense_is_refused_with_a_cure() {
    let program = Program::new();
    for (line, told) in [
        ("fuzz --shard 5/4", "there is no part 5 of 4"),
        ("fuzz --shard 0/4", "parts count from 1"),
        ("fuzz --shard x", "such as 1/4"),
        ("fuzz --faults kil", "did you mean \"kill\""),
        ("fuzz --for 10", "no unit"),
        ("fuzz --seeds 0", "0 is not in"),
        ("fuzz --subject sh", "use --world local"),
        ("fuzz --seeds 2 --shard 1/100000", "none of these seeds is in it"),
        ("fuzz --seeds 3 --seed 18446744073709551614", "begin earlier"),
    ] {
        let (code, out, error) = program.run(line);
        assert!(code == 2 && out.is_empty() && error.contains(told), "{line}: {code} {error}");
    }
    assert!(program.files("reports/found").is_empty());
}

#[test]
fn notes_that_are_none_are_told_of_and_left_as_they_are() {
    let program = Program::new();
    assert_eq!(program.run("fuzz --seeds 1 --quiet").0, 0);
    let [notes] = program.files("reports/fuzz").try_into().unwrap();
    fs::write(&notes, "[]").unwrap();
    let (code, _, error) = program.run("fuzz --seeds 1 --quiet");
    assert!(code == 2 && error.contains("is no notes of `squall fuzz`"), "{error}");
    assert_eq!(fs::read_to_string(Path::new(&notes)).unwrap(), "[]");
}

#[test]
fn flaws_are_sought_one_after_another_and_each_is_told_with_what_caught_it() {
    let program = Program::new();
    let (code, out, error) = program.run("flaws ttl-reset-on-update update-revives --seeds 400");
    assert_eq!(code, 0, "{out}{error}");
    assert!(out.starts_with("2 of 2 caught; median of schedules "), "{out}");
    let rows = fs::read_to_string(program.folder.path().join("reports/flaws.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(rows.as_bytes());
    let heads = rows.headers().unwrap().clone();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let (again, file) = (column("again"), column("file"));
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(&row[again], "sim caught");
        let text = fs::read_to_string(program.folder.path().join(&row[file])).unwrap();
        assert!(text.contains(&format!("--flaw {}", &row[0])), "{text}");
    }
    assert!(program.folder.path().join("reports/flaws.md").exists());

    let (code, out, error) = program.run("flaws never-comes-back --seeds 1 --seed 7 --report other");
    assert_eq!((code, out.as_str()), (1, "0 of 1 caught\n"), "{error}");
}

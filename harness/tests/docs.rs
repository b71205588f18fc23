//! What the documents say is true: their commands are valid, and the files that they name are there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use squall::cli::Cli;
use squall::perform::{self, Setting};
use squall::plan::Plan;
use squall::scenario;
use squall::world::Kind;

const DOCUMENTS: [&str; 19] = [
    "README.md",
    "ARCHITECTURE.md",
    "docs/bad-input.md",
    "docs/checks.md",
    "docs/client.md",
    "docs/embedded-server.md",
    "docs/field.md",
    "docs/flaws.md",
    "docs/fuzz.md",
    "docs/history.md",
    "docs/how-to-add.md",
    "docs/http.md",
    "docs/promises.md",
    "docs/protocol.md",
    "docs/scenarios.md",
    "docs/subjects.md",
    "docs/worlds.md",
    "reports/README.md",
    "subjects/redis-py/README.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every document with its text.
fn documents() -> impl Iterator<Item = (&'static str, String)> {
    DOCUMENTS.into_iter().map(|name| (name, std::fs::read_to_string(root().join(name)).unwrap()))
}

/// What stands in backquotes within a line, and every line of a block of commands.
fn code(text: &str) -> Vec<String> {
    let (mut found, mut block) = (Vec::new(), None);
    for line in text.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language == "sh"),
            (Some(_), Some(_)) => block = None,
            (None, Some(true)) => found.push(line.to_owned()),
            (None, Some(false)) => {}
            (None, None) => found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    found
}

/// A command's words after the program's name, if it is one of ours with arguments; place holders end it.
fn ours(code: &str) -> Option<Vec<String>> {
    let by_cargo = code.strip_prefix("cargo run --release -p squall");
    let arguments = by_cargo.and_then(|rest| rest.split_once(" -- ")).map(|(_, arguments)| arguments);
    let arguments = arguments.or_else(|| code.strip_prefix("squall "))?;
    Some(std::iter::once("squall".to_owned()).chain(shlex::split(arguments)?).collect())
}

#[test]
fn every_command_of_ours_is_one() {
    let mut seen = 0;
    for (name, text) in documents() {
        for code in code(&text) {
            let Some(words) = ours(&code) else { continue };
            // A subcommand alone is a name in a sentence.
            let sentence =
                words.len() == 2 && matches!(words[1].as_str(), "new" | "recheck" | "subject-check");
            let parsed = Cli::try_parse_from(&words);
            assert!(sentence || parsed.is_ok(), "{name}: {code}\n{}", parsed.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} commands found: are they still written as before?");
}

#[test]
fn every_file_that_is_named_is_there() {
    let mut seen = 0;
    for (name, text) in documents() {
        let folder = Path::new(name).parent().unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.contains("://"));
        let links = links.map(|link| link.split('#').next().unwrap_or(link));
        let links = links.map(|link| folder.join(link).to_str().unwrap().to_owned());
        for path in code(&text).into_iter().chain(links) {
            // What runs leave is there only after them.
            let plain = !path.contains([' ', '<', '*', '=']) && !path.ends_with("/reports");
            let ours = ["harness/", "client/", "docs/", "scripts/", "benches/", "subjects/", ".ci/"];
            if plain && (ours.iter().any(|folder| path.starts_with(folder)) || path.ends_with(".md")) {
                assert!(root().join(&path).exists(), "{name} names {path}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen} files found: are they still written as before?");
}

#[test]
fn the_ten_minutes_of_the_readme_work() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let from = text.find("## Your first scenario").unwrap();
    let to = from + text[from..].find("## See it again").unwrap();
    let mut done = Vec::new();
    for words in code(&text[from..to]).iter().filter_map(|code| ours(code)) {
        let output = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(&words[1..])
            .current_dir(folder.path())
            .output()
            .unwrap();
        // A client with a planted flaw fails.
        let expected = i32::from(words.iter().any(|word| word == "--flaw"));
        assert_eq!(output.status.code(), Some(expected), "{words:?}: {output:?}");
        done.push(words[1].clone());
    }
    assert_eq!(done, ["new", "check", "run", "run"]);
}

#[test]
fn every_test_target_that_is_named_is_there() {
    let named = documents().flat_map(|(_, text)| code(&text));
    let targets: Vec<String> =
        named.filter_map(|code| Some(code.split_once("--test ")?.1.split(' ').next()?.to_owned())).collect();
    assert!(!targets.is_empty());
    for target in targets {
        let is_there = ["harness", "client"].iter().any(|part| {
            let tests = root().join(part).join("tests");
            tests.join(format!("{target}.rs")).exists() || tests.join(&target).join("main.rs").exists()
        });
        assert!(is_there, "{target}");
    }
}

#[test]
fn the_test_target_for_a_users_client_is_one_that_is_compiled() {
    let text = std::fs::read_to_string(root().join("docs/subjects.md")).unwrap();
    let target = std::fs::read_to_string(root().join("subjects/redis-rs/tests/scenarios.rs")).unwrap();
    let code = &target[target.find("use ").unwrap()..];
    assert!(text.contains(&format!("```rust\n{code}```")), "docs/subjects.md does not quote it:\n{code}");
}

#[test]
fn the_table_of_subjects_says_what_their_tests_expect() {
    let text = std::fs::read_to_string(root().join("docs/subjects.md")).unwrap();
    let expected = std::fs::read_to_string(root().join("subjects/redis-rs/expected.csv")).unwrap();
    let rows = expected.lines().skip(1).filter_map(|row| row.split_once(",local,"));
    let rows: Vec<(&str, &str)> = rows.filter(|(_, verdict)| *verdict != "either").collect();
    assert!(rows.len() > 20, "{expected}");
    for (scenario, verdict) in rows {
        let row = format!("| {scenario} | {verdict}");
        assert!(text.contains(&row), "docs/subjects.md lacks {row}; scripts/subject-table makes the table");
    }
}

#[test]
fn every_promise_names_tests_and_scenarios_that_exist() {
    let rows = rows::<5>("docs/promises.md");
    let tests = tests_that_exist(rows.iter().flat_map(|row| code(&row[2])));
    for row in rows {
        for scenario in code(&row[3]) {
            assert!(root().join("scenarios").join(&scenario).with_extension("toml").is_file(), "{scenario}");
        }
        assert!(row.iter().all(|cell| !cell.is_empty()), "no scenario puts it to the test: {row:?}");
    }
    assert!(tests > 40, "only {tests} tests");
}

#[test]
fn the_promises_say_in_which_worlds_their_scenarios_run() {
    let wrong: Vec<String> = rows::<5>("docs/promises.md")
        .into_iter()
        .filter_map(|row| {
            let can = |world: &Kind| code(&row[3]).iter().any(|name| runs_in(name, *world));
            let worlds = [Kind::Sim, Kind::Local, Kind::Containers].into_iter().filter(can).map(Kind::name);
            let expected = worlds.collect::<Vec<_>>().join(", ");
            (expected != row[4]).then(|| format!("{expected:?} are the worlds of {row:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_of_bad_input_names_a_test_that_exists() {
    let rows = rows::<4>("docs/bad-input.md");
    assert!(rows.iter().all(|row| row.iter().all(|cell| !cell.is_empty())), "{rows:#?}");
    let tests = tests_that_exist(rows.iter().flat_map(|row| code(&row[3])));
    assert!(tests > 50 && tests >= rows.len(), "only {tests} tests");
}

/// Whether a world can do all that a scenario asks of it.
fn runs_in(name: &str, world: Kind) -> bool {
    let path = root().join("scenarios").join(name).with_extension("toml");
    let files = scenario::find(&[path]).unwrap_or_else(|error| panic!("{error}"));
    let scenario = files[0].load().unwrap_or_else(|error| panic!("{error}"));
    let (plan, setting) = (Plan::new(&scenario, 1), Setting::of(world));
    perform::unsupported(&setting, &plan).is_none()
}

/// The rows of a document's tables of so many columns, without their heads.
fn rows<const COLUMNS: usize>(document: &str) -> Vec<[String; COLUMNS]> {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_table = |line: &&str| line.starts_with("| ");
    let is_head = |index: usize| lines.get(index + 1).is_some_and(|line| line.starts_with("| ---"));
    let rows = lines.iter().enumerate().filter(|(index, line)| is_table(line) && !is_head(*index));
    rows.filter(|(_, line)| !line.starts_with("| ---"))
        .map(|(_, line)| {
            let cells = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')).unwrap_or(line);
            let cells: Vec<String> = cells.split('|').map(|cell| cell.trim().to_owned()).collect();
            cells.try_into().unwrap_or_else(|cells| panic!("{document}: not {COLUMNS} cells: {cells:?}"))
        })
        .collect()
}

/// How many tests these names are, each of which is a test of the client.
fn tests_that_exist(names: impl Iterator<Item = String>) -> usize {
    let mut sources = String::new();
    for folder in ["client/src", "client/tests", "client/examples"] {
        read_all(&root().join(folder), &mut sources);
    }
    names.inspect(|name| assert!(sources.contains(&format!("fn {name}(")), "no test {name}")).count()
}

#[test]
fn the_table_of_the_field_has_a_row_for_every_case_and_no_other() {
    let text = std::fs::read_to_string(root().join("docs/field.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| V"));
    let mut named: Vec<String> = rows.flat_map(code).filter(|code| code.contains("::")).collect();
    let main = std::fs::read_to_string(root().join("harness/tests/field/main.rs")).unwrap();
    let cases = main.split_once("cases!(").unwrap().1.split_once("]").unwrap().0;
    let lines = cases.lines().map(|line| line.trim().trim_end_matches(','));
    let mut cases: Vec<String> = lines.filter(|line| line.contains("::")).map(str::to_owned).collect();
    named.sort();
    named.dedup();
    cases.sort();
    assert!(cases.len() > 15 && named == cases, "{named:?}\n{cases:?}");
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

//! House rules that no compiler checks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use squall::fault::Fault;
use squall::scenario::{self, Scenario};

/// Lines that a source file may have, its tests not counted.
const MOST_LINES: usize = 400;

/// Parts of the program that must not know a runtime, a socket, or a clock.
const PURE: [&str; 11] = [
    "harness/src/check",
    "harness/src/coverage",
    "harness/src/fault",
    "harness/src/history",
    "harness/src/load",
    "harness/src/plan",
    "harness/src/report",
    "harness/src/scenario",
    "harness/src/server/commands",
    "harness/src/server/lua",
    "client/src/core",
];

const IMPURE: [&str; 7] =
    ["tokio", "std::net", "Instant", "SystemTime", "crate::world", "crate::run::", "squall_client::Clock"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every file below `folder` that ends in `ending`, with its text.
fn files(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    ["client", "harness", "benches", "subjects"]
        .iter()
        .flat_map(|part| files(&root().join(part), ".rs"))
        .collect()
}

fn scenarios() -> Vec<(Scenario, String)> {
    let found = scenario::find(&[root().join("scenarios")]).unwrap();
    let load =
        |file: scenario::ScenarioFile| (file.load().unwrap(), std::fs::read_to_string(&file.path).unwrap());
    found.into_iter().map(load).collect()
}

#[test]
fn no_file_is_too_long_to_read_and_none_is_half_done() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    for (path, text) in sources() {
        assert!(text.lines().count() <= MOST_LINES, "{} is too long", path.display());
        assert!(!marks.iter().any(|mark| text.contains(mark)), "{} is half done", path.display());
    }
}

#[test]
fn pure_parts_name_no_runtime_no_socket_and_no_clock() {
    for (path, text) in PURE.iter().flat_map(|part| files(&root().join(part), ".rs")) {
        let comment = |line: &&str| line.trim_start().starts_with("//");
        for line in text.lines().filter(|line| !comment(line)) {
            let word = IMPURE.iter().find(|word| line.contains(**word));
            assert!(word.is_none(), "{} names {}: {line}", path.display(), word.unwrap());
        }
    }
}

#[test]
fn every_scenario_says_what_it_proves() {
    for (scenario, _) in scenarios() {
        let says = scenario.proves.len() > 20;
        assert!(says, "{}: `proves` should be a sentence, not {:?}", scenario.name, scenario.proves);
    }
}

#[test]
fn every_kind_of_fault_has_a_scenario() {
    let used: BTreeSet<&str> = scenarios()
        .iter()
        .flat_map(|(scenario, _)| scenario.phases.iter().flat_map(|phase| &phase.faults))
        .map(|fault| fault.inject.name())
        .collect();
    let unused: Vec<_> = Fault::NAMES.iter().filter(|name| !used.contains(**name)).collect();
    assert!(unused.is_empty(), "faults without a scenario: {unused:?}");
}

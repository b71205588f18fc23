//! The file of expected verdicts, for a client that is known not to pass every scenario: `scenario,world,verdict`.
//!
//! Whatever is not listed must pass. A verdict that hangs on chance is written `either`, by hand; an update leaves it so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::in_nextest;
use crate::check::Verdict;
use crate::report::RunResult;
use crate::scenario::ScenarioFile;

/// Set to `1` it has the file take over the verdicts of this run.
const UPDATE: &str = "SQUALL_UPDATE";

/// Why a file of expected verdicts is of no use.
#[derive(Debug, Error)]
pub enum ExpectedError {
    /// It is not there.
    #[error("there is no {}\n  run the tests with {UPDATE}=1 to write it", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("{}: {why}\n  a line is scenario,world,verdict; a verdict is pass, fail, unknown or either", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why, with the line.
        why: String,
    },
    /// It expects something of a scenario that is not there.
    #[error("{} names {scenario}, which is no scenario here\n  remove the line, or run the tests with {UPDATE}=1", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// The scenario.
        scenario: String,
    },
    /// It cannot be written.
    #[error("failed to write {}: {why}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Cases do not know of each other.
    #[error("{UPDATE}=1 does not work with nextest; use cargo test")]
    Nextest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expectation {
    Pass,
    Fail,
    Unknown,
    Either,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    scenario: String,
    world: String,
    verdict: Expectation,
}

/// What is expected of each scenario in each world.
#[derive(Debug)]
pub(super) struct Expected {
    path: PathBuf,
    update: bool,
    rows: BTreeMap<(String, String), Expectation>,
}

impl Expected {
    /// Reads the file at `path`. When it is to be updated it need not be there, and what names none of `files` is dropped.
    pub(super) fn open(path: &Path, files: &[ScenarioFile]) -> Result<Self, ExpectedError> {
        let update = std::env::var(UPDATE).as_deref() == Ok("1");
        if update && in_nextest() {
            return Err(ExpectedError::Nextest);
        }
        Self::read(path, files, update)
    }

    fn read(path: &Path, files: &[ScenarioFile], update: bool) -> Result<Self, ExpectedError> {
        let unreadable =
            |why: String| ExpectedError::Unreadable { path: path.to_owned(), why: why.replace("CSV ", "") };
        let mut rows = BTreeMap::new();
        if !path.exists() {
            let missing = Err(ExpectedError::Missing(path.to_owned()));
            return if update { Ok(Self { path: path.to_owned(), update, rows }) } else { missing };
        }
        let mut reader = csv::Reader::from_path(path).map_err(|error| unreadable(error.to_string()))?;
        for row in reader.deserialize() {
            let Row { scenario, world, verdict } = row.map_err(|error| unreadable(error.to_string()))?;
            if files.iter().any(|file| file.name == scenario) {
                if rows.insert((scenario.clone(), world), verdict).is_some() {
                    return Err(unreadable(format!("{scenario} stands twice for one world")));
                }
            } else if !update {
                return Err(ExpectedError::Stale { path: path.to_owned(), scenario });
            }
        }
        Ok(Self { path: path.to_owned(), update, rows })
    }

    /// What differs from the expectation and what to do about it; `None` when nothing does.
    pub(super) fn difference(&self, scenario: &str, world: &str, verdict: Verdict) -> Option<String> {
        let found = expectation(verdict);
        if self.update && found.is_some() {
            return None;
        }
        let wanted = self.of(scenario, world).unwrap_or(Expectation::Pass);
        let fits = found.is_some_and(|found| wanted == Expectation::Either || wanted == found);
        let told = || {
            format!(
                "  {} expects {}; if the client now behaves otherwise: {UPDATE}=1 cargo test\n",
                self.path.display(),
                wanted.name()
            )
        };
        (!fits).then(told)
    }

    /// Takes over the verdicts of `results`, where that was asked for.
    pub(super) fn take(&self, results: &[RunResult]) -> Result<(), ExpectedError> {
        if !self.update {
            return Ok(());
        }
        let mut rows = self.rows.clone();
        for result in results {
            let Some(found) = expectation(result.verdict) else { continue };
            let row = rows.entry((result.scenario.clone(), result.world.clone())).or_insert(found);
            *row = if *row == Expectation::Either { Expectation::Either } else { found };
        }
        let failed = |why: String| ExpectedError::Unwritable { path: self.path.clone(), why };
        let mut writer = csv::Writer::from_writer(Vec::new());
        for ((scenario, world), verdict) in rows {
            let row = Row { scenario, world, verdict };
            writer.serialize(row).map_err(|error| failed(error.to_string()))?;
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
        std::fs::write(&self.path, bytes).map_err(|error| failed(error.to_string()))
    }

    fn of(&self, scenario: &str, world: &str) -> Option<Expectation> {
        self.rows.get(&(scenario.to_owned(), world.to_owned())).copied()
    }
}

impl Expectation {
    fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Either => "either",
        }
    }
}

/// What a verdict can be expected as; `None` for what says nothing about the client.
fn expectation(verdict: Verdict) -> Option<Expectation> {
    match verdict {
        Verdict::Pass => Some(Expectation::Pass),
        Verdict::Fail => Some(Expectation::Fail),
        Verdict::Unknown => Some(Expectation::Unknown),
        Verdict::Skipped | Verdict::Invalid => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn files(names: &[&str]) -> Vec<ScenarioFile> {
        let file = |name: &&str| ScenarioFile { name: (*name).to_owned(), path: PathBuf::new() };
        names.iter().map(file).collect()
    }

    fn with(text: &str, update: bool) -> (tempfile::TempDir, Result<Expected, ExpectedError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("expected.csv");
        std::fs::write(&path, format!("scenario,world,verdict\n{text}")).unwrap();
        let files = files(&["a/one", "resync/redis-killed", "breaker/opens-and-closes"]);
        let expected = Expected::read(&path, &files, update);
        (folder, expected)
    }

    #[test]
    fn a_verdict_that_differs_is_told_with_the_cure() {
        let expected = with("a/one,local,fail\n", false).1.unwrap();
        assert_eq!(expected.difference("a/one", "local", Verdict::Fail), None);
        let told = expected.difference("a/one", "local", Verdict::Pass).unwrap();
        assert!(told.contains("expects fail") && told.contains("SQUALL_UPDATE=1"), "{told}");
        assert!(expected.difference("a/one", "local", Verdict::Unknown).is_some());
    }

    #[test]
    fn what_is_not_listed_must_pass() {
        let expected = with("a/one,local,fail\n", false).1.unwrap();
        assert_eq!(expected.difference("a/one", "containers", Verdict::Pass), None);
        assert!(expected.difference("a/one", "containers", Verdict::Fail).is_some());
    }

    #[test]
    fn either_takes_every_verdict_on_the_client_but_not_a_run_that_went_wrong() {
        for update in [false, true] {
            let expected = with("a/one,local,either\n", update).1.unwrap();
            for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Unknown] {
                assert_eq!(expected.difference("a/one", "local", verdict), None);
            }
            assert!(expected.difference("a/one", "local", Verdict::Invalid).is_some());
        }
    }

    #[test]
    fn mistakes_are_told() {
        let told = |text: &str| with(text, false).1.unwrap_err().to_string();
        assert!(told("a/one,local,fial\n").contains("line: 2"), "{}", told("a/one,local,fial\n"));
        assert!(told("a/one,local,pass\na/one,local,fail\n").contains("twice"));
        assert!(told("a/gone,local,fail\n").contains("names a/gone"));
        let missing = Expected::read(Path::new("/nowhere.csv"), &[], false).unwrap_err().to_string();
        assert!(missing.contains("SQUALL_UPDATE=1"), "{missing}");
    }

    #[test]
    fn an_update_keeps_what_did_not_run_and_what_hangs_on_chance() {
        let text = "a/gone,local,fail\na/one,local,unknown\nresync/redis-killed,containers,either\n";
        let (_folder, expected) = with(text, true);
        let expected = expected.unwrap();
        expected.take(&[samples::passed(), samples::failed(), samples::skipped()]).unwrap();
        assert_eq!(
            std::fs::read_to_string(&expected.path).unwrap(),
            "scenario,world,verdict\na/one,local,unknown\nbreaker/opens-and-closes,containers,pass\nresync/redis-killed,containers,either\n"
        );
    }

    #[test]
    fn nothing_is_written_unless_asked_for() {
        let (_folder, expected) = with("a/one,local,fail\n", false);
        let expected = expected.unwrap();
        expected.take(&[samples::passed()]).unwrap();
        assert!(!std::fs::read_to_string(&expected.path).unwrap().contains("pass"));
    }
}

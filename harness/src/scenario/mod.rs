//! Scenarios: a file says what load runs, which faults strike when, and what must hold.
//!
//! [`find()`] lists the files, [`Scenario::load`] reads one. What comes out of it makes sense: everything that can be known to be
//! wrong without a run is a [`ScenarioError`], which names file, line, column, key and cure, and shows the line.

mod canary;
mod client;
mod document;
mod expectation;
mod file;
mod find;
mod given;
mod judge;
mod login;
mod problem;
mod sense;
mod syntax;
mod through;
mod timeline;
mod topology;
mod typed;
mod variables;

use std::fs::File as FsFile;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use squall_client::{Profile, Settings};
use toml::de::DeTable;

pub use file::{Phase, PhaseFault, Redis, Target, Topology};
pub use find::{ScenarioFile, find};
pub use given::Given;
pub use login::SIDE_USER;
pub use problem::{Place, Problem, ScenarioError};
pub use topology::SHARDS;

use self::problem::Found;
use crate::check::{Allow, Canary, Expect};
use crate::history::Rules;
use crate::load::Load;

/// A scenario to start a new one from, with comments. It works as it is.
pub const TEMPLATE: &str = include_str!("template.toml");

/// The largest file that is read.
const MOST_BYTES: u64 = 1024 * 1024;

/// A scenario that makes sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its path below the scenarios folder without `.toml`.
    pub name: String,
    /// What it proves.
    pub proves: String,
    /// The promises that it puts to the test.
    pub origin: Vec<String>,
    /// The settings of the subject: the `[client]` table over its profile.
    pub settings: Settings,
    /// Whether its instances keep on disk what they accept without Redis: `disk` in `[client]`.
    pub disk: bool,
    /// Set where its instances take the route to Redis from variables of the environment: the profile whose variables they are.
    pub environment: Option<Profile>,
    /// The server.
    pub redis: Redis,
    /// The load.
    pub load: Load,
    /// The operations that the file names; when there are any the load draws none.
    pub operations: Vec<Given>,
    /// The rules of judgement, still without what the subject can do.
    pub rules: Rules,
    /// The phases; the first and the last have no faults.
    pub phases: Vec<Phase>,
    /// What it expects beyond the invariants.
    pub expect: Expect,
    /// Checks that it waives.
    pub allow: Vec<Allow>,
    /// The check that must fail, if it is there to see that.
    pub canary: Option<Canary>,
}

impl Scenario {
    /// Reads and checks a file. Its name is its path below the nearest `scenarios` folder, else the file's own name.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        ScenarioFile::single(path)?.load()
    }

    /// Checks the bytes of a file. `path` stands in errors.
    pub fn parse(name: &str, path: &Path, bytes: &[u8]) -> Result<Self, ScenarioError> {
        if bytes.len() as u64 > MOST_BYTES {
            return Err(ScenarioError::whole(path, "the file is larger than 1 MiB", TOO_LARGE));
        }
        let text = utf8(path, bytes)?;
        let blank = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
        if text.lines().all(blank) {
            return Err(ScenarioError::whole(
                path,
                "the file is empty",
                "`squall new` writes one to start from",
            ));
        }
        let (tree, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(ScenarioError::found(path, text, syntax::found(text, &errors)));
        }
        let mut found = Vec::new();
        let file = typed::read::<file::File>(&tree, &tree, &mut found);
        client::types(&tree, &mut found);
        if found.is_empty() {
            let lists = document::misplaced_lists(&tree).into_iter();
            found.extend(lists.map(|list| typed::misplaced(&list, document::span(&tree, &list))));
        }
        let scenario = match file {
            Some(file) if found.is_empty() => sense::scenario(name, file, &tree, &mut found),
            Some(_) | None => None,
        };
        match scenario {
            Some(scenario) if found.is_empty() => Ok(scenario),
            Some(_) | None => Err(ScenarioError::found(path, text, found)),
        }
    }

    /// How long its phases last, without the setup.
    pub fn length(&self) -> Duration {
        self.phases.iter().map(|phase| phase.length).sum()
    }
}

const TOO_LARGE: &str = "is it a scenario? A scenario has a few dozen lines";

fn read(path: &Path) -> Result<Vec<u8>, ScenarioError> {
    let failed = |error: std::io::Error| {
        let cure = match error.kind() {
            std::io::ErrorKind::NotFound => "give the path of a scenario file or of a folder with some",
            std::io::ErrorKind::IsADirectory => "give a file, or the folder to a command that takes folders",
            _ => "make the file readable",
        };
        ScenarioError::whole(path, format!("failed to read the file: {error}"), cure)
    };
    let kind = std::fs::metadata(path).map_err(failed)?.file_type();
    // Opening a named pipe would wait for somebody to write to it.
    if !kind.is_file() && !kind.is_dir() {
        let cure = "give the path of a plain file that ends in .toml";
        return Err(ScenarioError::whole(path, "it is no plain file", cure));
    }
    let mut bytes = Vec::new();
    let file = FsFile::open(path).map_err(failed)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, ScenarioError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        // Up to the first wrong byte both texts are the same.
        let text = String::from_utf8_lossy(bytes);
        let byte = bytes.get(at).copied().unwrap_or_default();
        let found = Found {
            key: String::new(),
            what: format!("byte {at} of the file, 0x{byte:02x}, is not UTF-8"),
            cure: "save the file as UTF-8".to_owned(),
            span: at..at + 1,
        };
        ScenarioError::found(path, &text, vec![found])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = include_str!("../../../docs/scenarios.md");

    #[test]
    fn the_examples_of_the_reference_work() {
        let blocks = REFERENCE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let scenarios: Vec<&str> = blocks.filter(|block| block.starts_with("proves")).collect();
        assert_eq!(scenarios.len(), 2);
        for text in scenarios {
            Scenario::parse("x", Path::new("docs.toml"), text.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
        }
    }

    #[test]
    fn the_reference_names_every_fault_figure_setting_and_profile() {
        let mut names: Vec<String> =
            crate::fault::Fault::EXAMPLES.iter().map(|&text| text.to_owned()).collect();
        names.extend(crate::fault::Fault::NAMES.iter().map(|name| format!("| `{name}` |")));
        names.extend(crate::load::Kind::ALL.map(|kind| format!("`{}`", kind.name())));
        names.extend(Profile::ALL.map(|profile| format!("`{}`", profile.name())));
        let settings = toml::Table::try_from(Settings::default()).unwrap();
        for (key, value) in &settings {
            // Keys of one table may stand together: `keepalive.idle`, `.interval`.
            names.extend(value.as_table().into_iter().flatten().map(|(inner, _)| format!(".{inner}`")));
            names.push(format!("`{key}"));
        }
        let missing: Vec<_> = names.iter().filter(|name| !REFERENCE.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "docs/scenarios.md lacks {missing:?}");
    }

    #[test]
    fn the_template_and_every_shipped_scenario_make_sense() {
        Scenario::parse("x", Path::new("template.toml"), TEMPLATE.as_bytes())
            .unwrap_or_else(|e| panic!("{e}"));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let files = find(&[shipped]).unwrap_or_else(|error| panic!("{error}"));
        let wrong: Vec<_> =
            files.iter().filter_map(|file| file.load().err()).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

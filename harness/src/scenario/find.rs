//! Which files are scenarios, and what they are called.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::problem::ScenarioError;
use super::{Scenario, read};

/// A file that should be a scenario.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScenarioFile {
    /// Its path below the scenarios folder without `.toml`, with `/` between the parts.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl ScenarioFile {
    /// The file at `path`, which need not exist yet.
    pub(super) fn single(path: &Path) -> Result<Self, ScenarioError> {
        let name = name(path, None)?;
        Ok(Self { name, path: path.to_owned() })
    }

    /// Reads and checks it.
    pub fn load(&self) -> Result<Scenario, ScenarioError> {
        Scenario::parse(&self.name, &self.path, &read(&self.path)?)
    }
}

/// The scenario files among `paths`: each file itself, and every `.toml` in each folder and below, sorted by name.
///
/// A scenario's name is its path below the nearest folder called `scenarios`; without one, below the folder given. A path that
/// is not there, a folder without scenarios and two files of one name are errors.
pub fn find(paths: &[PathBuf]) -> Result<Vec<ScenarioFile>, ScenarioError> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in paths {
        let mut files = Vec::new();
        if path.is_dir() {
            walk(path, &mut Vec::new(), &mut files)?;
            if files.is_empty() {
                let cure = "a scenario is a file that ends in .toml; `squall new` writes one";
                return Err(ScenarioError::whole(path, "the folder has no scenarios", cure));
            }
        } else if path.exists() {
            files.push(path.clone());
        } else {
            let cure = "give the path of a scenario file or of a folder with some";
            return Err(ScenarioError::whole(path, "there is no such file or folder", cure));
        }
        for file in files {
            let name = name(&file, path.is_dir().then_some(path))?;
            let other = found.insert(name.clone(), file.clone()).filter(|other| !same(other, &file));
            if let Some(other) = other {
                let what = format!("{} is called {name:?} too", other.display());
                return Err(ScenarioError::whole(&file, what, "rename one of the two"));
            }
        }
    }
    Ok(found.into_iter().map(|(name, path)| ScenarioFile { name, path }).collect())
}

fn same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// `around` are the real paths of the folders around this one: a link to one of them leads in a circle.
fn walk(folder: &Path, around: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> Result<(), ScenarioError> {
    let failed = |error: std::io::Error| {
        ScenarioError::whole(
            folder,
            format!("failed to list the folder: {error}"),
            "make the folder readable",
        )
    };
    let real = folder.canonicalize().map_err(failed)?;
    if around.contains(&real) {
        return Ok(());
    }
    around.push(real);
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(failed)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(failed)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            walk(&path, around, files)?;
        } else if path.extension() == Some(OsStr::new("toml")) {
            files.push(path);
        }
    }
    around.pop();
    Ok(())
}

fn name(file: &Path, folder: Option<&Path>) -> Result<String, ScenarioError> {
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let parts: Vec<&OsStr> = whole
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => Some(part),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
        })
        .collect();
    let (last, folders) = parts.split_last().map_or((OsStr::new(""), &[][..]), |(last, rest)| (*last, rest));
    let below = match folders.iter().rposition(|part| *part == "scenarios") {
        Some(scenarios) => &folders[scenarios + 1..],
        None => {
            let inside = folder.and_then(|folder| file.parent()?.strip_prefix(folder).ok());
            let depth = inside.map_or(0, |inside| inside.components().count());
            &folders[folders.len().saturating_sub(depth)..]
        }
    };
    let stem =
        if last.as_encoded_bytes().ends_with(b".toml") { Path::new(last).file_stem() } else { Some(last) };
    let parts: Option<Vec<&str>> = below.iter().copied().chain(stem).map(OsStr::to_str).collect();
    let name = parts.map(|parts| parts.join("/")).unwrap_or_default();
    if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        let cure = "a scenario's name is its path: up to 200 bytes of UTF-8 without control characters";
        return Err(ScenarioError::whole(file, "the file's name cannot name a scenario", cure));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[ScenarioFile]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_is_walked_in_order_and_names_are_paths_within_it() {
        let folder = folder(&["b/two.toml", "b/one.toml", "a.toml", "notes.md", ".hidden/x.toml"]);
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!(names(&found), ["a", "b/one", "b/two"]);
    }

    #[test]
    fn a_scenarios_folder_is_where_names_begin_however_the_file_is_given() {
        let folder = folder(&["scenarios/breaker/opens.toml"]);
        let root = folder.path();
        for path in ["", "scenarios", "scenarios/breaker", "scenarios/breaker/opens.toml"] {
            assert_eq!(names(&find(&[root.join(path)]).unwrap()), ["breaker/opens"], "{path}");
        }
    }

    #[test]
    fn a_file_given_twice_counts_once_and_two_of_one_name_are_refused() {
        let folder = folder(&["x/a.toml", "y/a.toml"]);
        let [x, y] = ["x", "y"].map(|part| folder.path().join(part));
        assert_eq!(names(&find(&[x.clone(), x.join("a.toml"), x.join("../x")]).unwrap()), ["a"]);
        assert!(find(&[x, y]).unwrap_err().to_string().contains("rename one of the two"));
    }

    #[test]
    fn what_is_not_there_or_has_nothing_is_refused() {
        let folder = folder(&["readme.md"]);
        let empty = find(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(empty.contains("the folder has no scenarios"), "{empty}");
        let missing = find(&[folder.path().join("missing.toml")]).unwrap_err().to_string();
        assert!(missing.contains("there is no such file or folder"), "{missing}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        let folder = folder(&["real/a.toml"]);
        std::os::unix::fs::symlink(folder.path().join("real/a.toml"), folder.path().join("b.toml")).unwrap();
        assert_eq!(names(&find(&[folder.path().to_owned()]).unwrap()), ["b", "real/a"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("circle")).unwrap();
        assert_eq!(find(&[folder.path().to_owned()]).unwrap().len(), 2);
    }
}

//! Which program is the server.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::WorldError;

/// The servers that are looked for, the first that is there.
const KNOWN: [&str; 2] = ["redis-server", "valkey-server"];

/// A server's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// What to call it in reports.
    pub(super) name: String,
}

/// Finds the program that was asked for, by its path or its name, or else a known one, in the folders of `PATH`.
pub(super) fn find(asked: Option<&str>) -> Result<Program, WorldError> {
    find_in(asked, &std::env::var_os("PATH").unwrap_or_default())
}

fn find_in(asked: Option<&str>, path: &OsStr) -> Result<Program, WorldError> {
    let names = asked.map_or(KNOWN.to_vec(), |asked| vec![asked]);
    let found = names.iter().find_map(|name| Some((find_one(name, path)?, *name)));
    match (found, asked) {
        (Some((path, name)), _) => Ok(Program { path, name: name.to_owned() }),
        (None, Some(asked)) => Err(WorldError::Missing {
            what: format!("there is no program {asked:?}"),
            cure: "name one that is in PATH, or the path of one, such as /usr/bin/redis-server (--server, SQUALL_REDIS_SERVER)"
                .to_owned(),
        }),
        (None, None) => Err(WorldError::Missing {
            what: format!("neither {} nor {} is in PATH", KNOWN[0], KNOWN[1]),
            cure: "install one (sudo apt install redis-server; brew install redis), name its path with --server, use a server of \
                   your own with --redis-url, or choose another --world"
                .to_owned(),
        }),
    }
}

fn find_one(name: &str, path: &OsStr) -> Option<PathBuf> {
    if name.contains('/') {
        return absolute(Path::new(name));
    }
    std::env::split_paths(path).find_map(|folder| absolute(&folder.join(name)))
}

/// The path as it is from everywhere, if it is that of a program.
fn absolute(path: &Path) -> Option<PathBuf> {
    let found = path.metadata().ok()?;
    let runs = found.is_file() && found.permissions().mode() & 0o111 != 0;
    if runs { std::path::absolute(path).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name_and_by_path_and_known_ones_without_either() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, mode| {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let in_path = folder.path().as_os_str();
        assert!(find_in(None, in_path).unwrap_err().to_string().contains("--redis-url"));
        // No program, only called like one.
        put("redis-server", 0o644);
        let valkey = put("valkey-server", 0o755);
        let found = find_in(None, in_path).unwrap();
        assert_eq!((found.path, found.name.as_str()), (valkey.clone(), "valkey-server"));
        assert_eq!(find_in(valkey.to_str(), OsStr::new("")).unwrap().path, valkey);
        let error = find_in(Some("keydb-server"), in_path).unwrap_err().to_string();
        assert!(error.contains("keydb-server") && error.contains("SQUALL_REDIS_SERVER"), "{error}");
    }
}

//! The command that runs a case again, for a subject that the program `squall` does not know.

use std::path::Path;

/// The command that runs the case called `case` with `seed` again: the running test target, as cargo names it.
pub(super) fn command(seed: u64, case: &str) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    of(std::env::var("CARGO_PKG_NAME").ok().as_deref(), &program, seed, case)
}

fn of(package: Option<&str>, program: &Path, seed: u64, case: &str) -> String {
    let package = package.map_or_else(String::new, |package| format!(" -p {package}"));
    let target = target(program).map_or_else(String::new, |target| format!(" --test {target}"));
    format!("SQUALL_SEED={seed} cargo test{package}{target} -- --exact {case}")
}

/// `scenarios` for a program `scenarios-0123456789abcdef`.
fn target(program: &Path) -> Option<&str> {
    let (target, hash) = program.file_stem()?.to_str()?.rsplit_once('-')?;
    hash.chars().all(|c| c.is_ascii_hexdigit()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_run_again_by_its_own_test_target() {
        let program = Path::new("/t/debug/deps/my-scenarios-0123456789abcdef");
        assert_eq!(
            of(Some("mine"), program, 7, "local::ttl::kept"),
            "SQUALL_SEED=7 cargo test -p mine --test my-scenarios -- --exact local::ttl::kept"
        );
        assert_eq!(of(None, Path::new("odd"), 7, "local::a"), "SQUALL_SEED=7 cargo test -- --exact local::a");
    }
}

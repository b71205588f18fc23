//! `squall new`: a scenario file to start from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::{NewArgs, print};
use crate::scenario::TEMPLATE;

/// Writes `scenarios/<name>.toml`, and says what to do next.
pub(super) fn new(args: &NewArgs) -> anyhow::Result<u8> {
    let path = path_of(&args.name)?;
    write(&path)?;
    let path = path.display();
    print(&format!(
        "wrote {path}\nnext: edit it, then\n  squall check {path}    # is it valid?\n  squall run {path}      # what happens?\n"
    ))?;
    Ok(0)
}

fn path_of(name: &str) -> anyhow::Result<PathBuf> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    let name = name.strip_prefix("scenarios/").unwrap_or(name);
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let part_fits = |part: &str| !part.is_empty() && !part.starts_with('-') && part.chars().all(fits);
    if !name.split('/').all(part_fits) || name.len() > 100 {
        bail!(
            "{name:?} is no name for a scenario: write THEME/BEHAVIOUR in small letters, digits and hyphens, such as outage/my-first"
        );
    }
    Ok(Path::new("scenarios").join(name).with_extension("toml"))
}

fn write(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to make the folder {}", folder.display()))?;
    }
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file.and_then(|mut file| file.write_all(TEMPLATE.as_bytes())) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{shown} is there already and is left as it is; choose another name")
        }
        Err(error) => Err(error).with_context(|| format!("failed to write {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_path_below_scenarios() {
        for name in ["outage/my-first", "outage/my-first.toml", "scenarios/outage/my-first.toml"] {
            assert_eq!(path_of(name).unwrap(), Path::new("scenarios/outage/my-first.toml"), "{name}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../x", "/x", "a/../x", "", "a//b", "a b", "A", "-x", "a/-x", ".x", "a\u{0}", "a\\b"] {
            assert!(path_of(name).is_err(), "{name:?}");
        }
    }
}

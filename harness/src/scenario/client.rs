//! The `[client]` table: settings of the subject over a named profile.

use squall_client::{Profile, Settings};
use toml::de::DeValue;
use toml::{Spanned, Table, Value};

use super::document::{self, Tree, root};
use super::problem::Found;
use super::typed;
use crate::suggest;

/// Keys of the table that are no settings of a client: what they mean is done here.
const OURS: [&str; 2] = ["profile", "disk"];

/// Whether instances keep on disk what they accept without Redis.
pub(super) fn disk(client: &Table, tree: &Tree<'_>, found: &mut Vec<Found>) -> bool {
    match client.get("disk") {
        None => false,
        Some(Value::Boolean(disk)) => *disk,
        Some(other) => {
            let path = root("client").key("disk");
            let (key, span) = (path.to_string(), document::span(tree, &path));
            let what = format!("{} cannot stand here", other.type_str());
            let cure = "write disk = true, and each instance has a folder of its own in the run".to_owned();
            found.push(Found { key, what, cure, span });
            false
        }
    }
}

/// Finds keys and types that are wrong where they stand. Ranges come later, when the profile is known.
pub(super) fn types(tree: &Tree<'_>, found: &mut Vec<Found>) {
    let Some(client) = tree.get_ref().get("client") else { return };
    let DeValue::Table(table) = client.get_ref() else { return };
    let mut table = table.clone();
    OURS.iter().for_each(|key| drop(table.remove(*key)));
    typed::read::<Settings>(tree, &Spanned::new(client.span(), table), found);
}

/// The settings that `client` asks for; `None` when something about them is wrong.
pub(super) fn settings(client: &Table, tree: &Tree<'_>, found: &mut Vec<Found>) -> Option<Settings> {
    let mut wrong = |key: &str, what: String, cure: String| {
        let path = root("client").key(key);
        found.push(Found { key: path.to_string(), what, cure, span: document::span(tree, &path) });
    };
    let names = Profile::ALL.map(Profile::name);
    let base = match client.get("profile") {
        None => Settings::default(),
        Some(Value::String(name)) => match Profile::named(name) {
            Some(profile) => profile.settings(),
            None => {
                let told = suggest::unknown("profile", name, &names);
                let (what, cure) = told.rsplit_once("; ").unwrap_or((&told, ""));
                wrong("profile", what.to_owned(), cure.to_owned());
                return None;
            }
        },
        Some(other) => {
            let what = format!("{} cannot stand here", other.type_str());
            wrong("profile", what, format!("expected one of: {}", names.join(", ")));
            return None;
        }
    };
    let mut merged = Table::try_from(base).ok()?;
    merge(&mut merged, client);
    OURS.iter().for_each(|key| drop(merged.remove(*key)));
    let settings: Settings = match Value::Table(merged).try_into() {
        Ok(settings) => settings,
        Err(error) => {
            wrong("", error.message().to_owned(), "write it as docs/scenarios.md shows".to_owned());
            return None;
        }
    };
    let problems = settings.problems();
    for problem in &problems {
        wrong(&problem.key, format!("{} is {}", problem.key, problem.value), problem.cure.clone());
    }
    problems.is_empty().then_some(settings)
}

fn merge(base: &mut Table, over: &Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn read(text: &str) -> Result<Settings, Vec<String>> {
        let tree = DeTable::parse(text).unwrap();
        let mut found = Vec::new();
        types(&tree, &mut found);
        let table: Table = text.parse().unwrap();
        let client = table["client"].as_table().unwrap();
        let settings = settings(client, &tree, &mut found);
        settings
            .ok_or_else(|| found.into_iter().map(|f| format!("{}: {}; {}", f.key, f.what, f.cure)).collect())
    }

    #[test]
    fn a_table_goes_over_its_profile_key_by_key() {
        let settings = read("[client]\nprofile = \"chatbot\"\nbreaker = { cool_down = \"1s\" }").unwrap();
        let profile = Profile::Chatbot.settings();
        assert_eq!(settings.breaker.cool_down.as_secs(), 1);
        assert_eq!(settings.breaker.failures, profile.breaker.failures);
        assert_eq!(settings.pool, profile.pool);
    }

    #[test]
    fn a_range_that_depends_on_the_profile_is_checked_over_it() {
        let told = read("[client]\nprofile = \"companion\"\ndeadline = \"1s\"").unwrap_err();
        assert_eq!(told, ["client.deadline: deadline is 1s; it must be from 10s to 1h"]);
    }

    #[test]
    fn not_a_number_is_told_by_its_key() {
        let told = read("[client]\nbreaker.jitter = nan").unwrap_err();
        assert_eq!(told, ["client.breaker.jitter: breaker.jitter is NaN; it must be from 0 to 1"]);
    }

    #[test]
    fn a_disk_is_there_or_not() {
        let disk = |text: &str| {
            let (tree, table): (_, Table) = (DeTable::parse(text).unwrap(), text.parse().unwrap());
            let mut found = Vec::new();
            let disk = disk(table["client"].as_table().unwrap(), &tree, &mut found);
            (disk, found.into_iter().map(|f| format!("{}: {}", f.key, f.what)).collect::<Vec<_>>())
        };
        assert_eq!(disk("[client]\n"), (false, Vec::new()));
        assert_eq!(disk("[client]\ndisk = true"), (true, Vec::new()));
        read("[client]\ndisk = true").unwrap();
        let told = vec!["client.disk: string cannot stand here".to_owned()];
        assert_eq!(disk("[client]\ndisk = \"/tmp/x\""), (false, told));
    }
}

//! The `[client]` table: settings of the subject over a named profile, and over variables of the environment.

use std::time::Duration;

use squall_client::{Profile, Settings};
use toml::de::DeValue;
use toml::{Spanned, Table, Value};

use super::document::{self, Tree, root};
use super::problem::Found;
use super::{typed, variables};
use crate::suggest;

/// The key of `[client]` that asks for values that are encrypted.
const ENCRYPTED: &str = "encrypted";

/// The key of `[client]` that gives instances a folder each.
const DISK: &str = "disk";

/// Keys of the table that are no settings of a client: what they mean is done here.
const OURS: [&str; 4] = ["profile", variables::KEY, ENCRYPTED, DISK];

/// Finds keys and types that are wrong where they stand. Ranges come later, when the profile is known.
pub(super) fn types(tree: &Tree<'_>, found: &mut Vec<Found>) {
    let Some(client) = tree.get_ref().get("client") else { return };
    let DeValue::Table(table) = client.get_ref() else { return };
    let mut table = table.clone();
    OURS.iter().for_each(|key| drop(table.remove(*key)));
    typed::read::<Settings>(tree, &Spanned::new(client.span(), table), found);
}

/// What a `[client]` table asks for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The settings of the subject.
    pub(super) settings: Settings,
    /// How long sessions live unless the load says otherwise, where a variable tells.
    pub(super) session_ttl: Option<Duration>,
    /// Whether values are to lie in Redis encrypted.
    pub(super) encrypted: bool,
    /// Whether instances keep on disk what they accept without Redis.
    pub(super) disk: bool,
    /// Set where variables are to say where Redis is: the profile whose variables they are.
    pub(super) environment: Option<Profile>,
}

/// What `client` asks for; `None` when something about it is wrong.
pub(super) fn asked(client: &Table, tree: &Tree<'_>, found: &mut Vec<Found>) -> Option<Asked> {
    let mut wrong = |key: &str, what: String, cure: String| {
        let path = root("client").key(key);
        found.push(Found { key: path.to_string(), what, cure, span: document::span(tree, &path) });
    };
    let names = Profile::ALL.map(Profile::name);
    let profile = match client.get("profile") {
        None => None,
        Some(Value::String(name)) => match Profile::named(name) {
            Some(profile) => Some(profile),
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
    let mut yes = |key: &str| match client.get(key) {
        None => Some(false),
        Some(Value::Boolean(yes)) => Some(*yes),
        Some(other) => {
            let what = format!("{} cannot stand here", other.type_str());
            wrong(key, what, "write true or false".to_owned());
            None
        }
    };
    let (encrypted, disk) = (yes(ENCRYPTED)?, yes(DISK)?);
    let settings = profile.map(Profile::settings).unwrap_or_default();
    let mut base = Asked { settings, session_ttl: None, encrypted, disk, environment: None };
    if let Some(variables) = client.get(variables::KEY) {
        match variables::heed(profile, variables) {
            Ok(variables::Heeded { settings, session_ttl, environment }) => {
                base = Asked { settings, session_ttl, environment, ..base };
            }
            Err(unheeded) => {
                wrong(&unheeded.key, unheeded.what, unheeded.cure);
                return None;
            }
        }
    }
    let mut merged = Table::try_from(base.settings).ok()?;
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
    problems.is_empty().then_some(Asked { settings, ..base })
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
        let asked = asked(client, &tree, &mut found);
        asked
            .map(|asked| asked.settings)
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
    fn variables_go_over_the_profile_and_keys_over_both() {
        let text = "[client]\nprofile = \"cache-v4\"\nenvironment = { CACHE_MAX_RETRIES = \"0\", \
                    CACHE_SOCKET_TIMEOUT_MS = \"300\" }\noperation_timeout = \"200ms\"";
        let settings = read(text).unwrap();
        let profile = Profile::CacheV4.settings();
        assert_eq!((settings.retry.retries, settings.operation_timeout.as_millis()), (0, 200));
        assert_eq!(settings.retry.base, profile.retry.base);
    }

    #[test]
    fn variables_that_are_none_are_told() {
        let told = |profile: &str, variables: &str| {
            read(&format!("[client]\n{profile}\nenvironment = {{ {variables} }}")).unwrap_err().join(" ")
        };
        let cases = [
            (
                "",
                "CACHE_MAX_RETRIES = '1'",
                r#"client.environment: variables without a profile mean nothing; name the profile whose variables they are: profile = "cache-v4""#,
            ),
            (
                "profile = 'cache-v4'",
                "CACHE_MAX_RETRY = '1'",
                r#"client.environment.CACHE_MAX_RETRY: unknown variable "CACHE_MAX_RETRY"; did you mean "CACHE_MAX_RETRIES"?"#,
            ),
            (
                "profile = 'cache-v4'",
                "CACHE_MAX_RETRIES = '101'",
                r#"client.environment.CACHE_MAX_RETRIES: CACHE_MAX_RETRIES is "101"; it must be a whole number from 0 to 100"#,
            ),
            (
                "profile = 'cache-v4'",
                "CACHE_MAX_RETRIES = 1",
                r#"client.environment.CACHE_MAX_RETRIES: integer cannot stand here; write the value of a variable as a text: "2""#,
            ),
            (
                "profile = 'companion'",
                "REDIS_PASSWORD = 'hush'",
                r#"client.environment.REDIS_PASSWORD: which Redis it is says the world, and `[redis]` the rest; write REDIS_PASSWORD = "{password}" for what they say, or remove it"#,
            ),
            (
                "profile = 'companion'",
                "REDIS_HOST = '{host}', REDIS_DB = '{database}'",
                "client.environment: REDIS_PORT and REDIS_PASSWORD are missing beside the others that say where Redis is; add REDIS_PORT = \"{port}\" and REDIS_PASSWORD = \"{password}\"",
            ),
            (
                "profile = 'chatbot'",
                "SESSION_ENCRYPTION_KEYS = '1:hush'",
                "client.environment.SESSION_ENCRYPTION_KEYS: SESSION_ENCRYPTION_KEYS is no figure of the settings; remove it: encrypted = true makes up a key",
            ),
        ];
        for (profile, variables, expected) in cases {
            assert_eq!(told(profile, variables), expected);
        }
    }

    #[test]
    fn variables_may_say_where_redis_is_once_the_world_has_said_it() {
        let profile = |text: &str| {
            let (tree, table): (_, Table) = (DeTable::parse(text).unwrap(), text.parse().unwrap());
            asked(table["client"].as_table().unwrap(), &tree, &mut Vec::new()).unwrap().environment
        };
        let url = "[client]\nprofile = 'websocket'\nenvironment = { REDIS_SESSION_TTL = '60' }";
        assert_eq!(profile(url), None);
        let url = "[client]\nprofile = 'websocket'\nenvironment = { CHANNEL_REDIS_URL = '{url}' }";
        assert_eq!(profile(url), Some(Profile::Websocket));
    }

    #[test]
    fn whether_values_are_encrypted_is_no_setting_and_is_true_or_false() {
        let text = "[client]\nprofile = \"websocket\"\nencrypted = true";
        assert_eq!(read(text).unwrap(), Profile::Websocket.settings());
        let told = read("[client]\nencrypted = 'yes'").unwrap_err();
        assert_eq!(told, ["client.encrypted: string cannot stand here; write true or false"]);
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
            asked(table["client"].as_table().unwrap(), &tree, &mut Vec::new()).unwrap().disk
        };
        assert!(!disk("[client]\n"));
        assert!(disk("[client]\ndisk = true"));
        assert_eq!(read("[client]\ndisk = true").unwrap(), Settings::default());
        let told = read("[client]\ndisk = 'here'").unwrap_err();
        assert_eq!(told, ["client.disk: string cannot stand here; write true or false"]);
    }
}

//! `client.environment`: variables of the environment, under the names that the systems of the profiles use.

use std::time::Duration;

use squall_client::{Profile, Settings, TlsOptions};
use toml::Value;

use crate::suggest;

/// The key of `[client]` that they stand under.
pub(super) const KEY: &str = "environment";

const CURE: &str = "write variables and their values: environment = { CACHE_MAX_RETRIES = \"0\" }";

/// A variable that cannot be heeded.
#[derive(Debug)]
pub(super) struct Unheeded {
    /// Where it stands, below `[client]`.
    pub(super) key: String,
    pub(super) what: String,
    pub(super) cure: String,
}

/// The settings that a profile and variables give together, and how long sessions live, where a variable tells.
pub(super) fn heed(
    profile: Option<Profile>,
    variables: &Value,
) -> Result<(Settings, Option<Duration>), Unheeded> {
    let wrong =
        |key: String, what: &str, cure: &str| Unheeded { key, what: what.to_owned(), cure: cure.to_owned() };
    let Value::Table(variables) = variables else {
        return Err(wrong(KEY.to_owned(), &format!("{} cannot stand here", variables.type_str()), CURE));
    };
    let Some(profile) = profile else {
        let cure = "name the profile whose variables they are: profile = \"cache-v4\"";
        return Err(wrong(KEY.to_owned(), "variables without a profile mean nothing", cure));
    };
    let (figures, others): (Vec<_>, Vec<_>) =
        profile.variables().into_iter().partition(|variable| variable.is_figure());
    let names: Vec<&str> = figures.iter().map(|variable| variable.name).collect();
    for (name, value) in variables {
        let at = || format!("{KEY}.{name}");
        if others.iter().any(|other| other.name == name) {
            let cure = "remove it: which Redis it is says the world, and `[redis]` the rest";
            return Err(wrong(at(), &format!("{name} is no figure of the settings"), cure));
        }
        if names.is_empty() {
            let what = format!("the profile {} has no variables for figures", profile.name());
            return Err(wrong(at(), &what, "remove it"));
        }
        if !names.contains(&name.as_str()) {
            let told = suggest::unknown("variable", name, &names);
            let (what, cure) = told.rsplit_once("; ").unwrap_or((&told, ""));
            return Err(wrong(at(), what, cure));
        }
        if !value.is_str() {
            let what = format!("{} cannot stand here", value.type_str());
            return Err(wrong(at(), &what, "write the value of a variable as a text: \"2\""));
        }
    }
    let value_of = |name: &str| variables.get(name).and_then(Value::as_str).map(str::to_owned);
    let configured = profile.configured(value_of, &TlsOptions::default()).map_err(|error| {
        let told = error.to_string();
        let (what, cure) = told.rsplit_once("; ").unwrap_or((&told, ""));
        let name = variables.keys().find(|name| what.starts_with(name.as_str()));
        wrong(name.map_or_else(|| KEY.to_owned(), |name| format!("{KEY}.{name}")), what, cure)
    })?;
    let told = variables.contains_key("REDIS_SESSION_TTL");
    Ok((configured.settings, told.then_some(configured.session_ttl)))
}

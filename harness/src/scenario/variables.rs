//! `client.environment`: variables of the environment, under the names that the systems of the profiles use.

use std::time::Duration;

use squall_client::{Profile, Settings, TlsOptions};
use toml::{Table, Value};

use super::document::root;
use super::file::{Redis, Topology};
use super::sense::Sense;
use crate::subject::RoutePart;
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

impl Unheeded {
    fn new(key: String, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { key, what: what.into(), cure: cure.into() }
    }
}

/// What a profile and variables give together.
pub(super) struct Heeded {
    pub(super) settings: Settings,
    /// How long sessions live, where a variable tells.
    pub(super) session_ttl: Option<Duration>,
    /// The profile, where its variables say where Redis is.
    pub(super) environment: Option<Profile>,
}

/// Reads the variables, each as the profile's own system does.
pub(super) fn heed(profile: Option<Profile>, variables: &Value) -> Result<Heeded, Unheeded> {
    let Value::Table(variables) = variables else {
        let what = format!("{} cannot stand here", variables.type_str());
        return Err(Unheeded::new(KEY.to_owned(), what, CURE));
    };
    let Some(profile) = profile else {
        let cure = "name the profile whose variables they are: profile = \"cache-v4\"";
        return Err(Unheeded::new(KEY.to_owned(), "variables without a profile mean nothing", cure));
    };
    let names: Vec<&str> = profile.variables().iter().map(|variable| variable.name).collect();
    for (name, value) in variables {
        one(profile, &names, name, value)?;
    }
    let environment = route(&names, variables)?;
    let value_of = |name: &str| {
        let figure = variables.get(name).filter(|_| RoutePart::of(name).is_none());
        figure.and_then(Value::as_str).map(str::to_owned)
    };
    let configured = profile.configured(value_of, &TlsOptions::default()).map_err(|error| {
        let told = error.to_string();
        let (what, cure) = told.rsplit_once("; ").unwrap_or((&told, ""));
        let name = variables.keys().find(|name| what.starts_with(name.as_str()));
        Unheeded::new(name.map_or_else(|| KEY.to_owned(), |name| at(name)), what, cure)
    })?;
    Ok(Heeded {
        settings: configured.settings,
        session_ttl: variables.contains_key("REDIS_SESSION_TTL").then_some(configured.session_ttl),
        environment: environment.then_some(profile),
    })
}

fn at(name: &str) -> String {
    format!("{KEY}.{name}")
}

/// Whether a variable is one of the profile's, with a value that may stand in a file.
fn one(profile: Profile, names: &[&str], name: &str, value: &Value) -> Result<(), Unheeded> {
    let Some(variable) = profile.variables().into_iter().find(|variable| variable.name == name) else {
        let figures: Vec<&str> =
            profile.variables().iter().filter(|known| known.is_figure()).map(|known| known.name).collect();
        let told = suggest::unknown("variable", name, if figures.is_empty() { names } else { &figures });
        let (what, cure) = told.rsplit_once("; ").unwrap_or((&told, ""));
        return Err(Unheeded::new(at(name), what, cure));
    };
    let Some(text) = value.as_str() else {
        let what = format!("{} cannot stand here", value.type_str());
        return Err(Unheeded::new(at(name), what, "write the value of a variable as a text: \"2\""));
    };
    match RoutePart::of(name) {
        Some(part) if text != part.placeholder() => {
            let what = "which Redis it is says the world, and `[redis]` the rest";
            let cure = format!("write {name} = \"{}\" for what they say, or remove it", part.placeholder());
            Err(Unheeded::new(at(name), what, cure))
        }
        None if !variable.is_figure() => {
            let what = format!("{name} is no figure of the settings");
            Err(Unheeded::new(at(name), what, "remove it: encrypted = true makes up a key"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether variables say where Redis is: all that the profile has for that, or none.
fn route(names: &[&str], variables: &Table) -> Result<bool, Unheeded> {
    let parts = names.iter().filter_map(|name| Some((*name, RoutePart::of(name)?)));
    let (given, missing): (Vec<_>, Vec<_>) = parts.partition(|(name, _)| variables.contains_key(*name));
    if given.is_empty() || missing.is_empty() {
        return Ok(!given.is_empty());
    }
    let listed = |each: &dyn Fn(&(&str, RoutePart)) -> String| {
        missing.iter().map(each).collect::<Vec<_>>().join(" and ")
    };
    let are = if missing.len() == 1 { "is" } else { "are" };
    let what = format!(
        "{} {are} missing beside the others that say where Redis is",
        listed(&|(name, _)| (*name).to_owned())
    );
    let cure = format!("add {}", listed(&|(name, part)| format!("{name} = \"{}\"", part.placeholder())));
    Err(Unheeded::new(KEY.to_owned(), what, cure))
}

/// Tells what `[redis]` asks for that these variables have no place for.
pub(super) fn check(sense: &mut Sense<'_, '_>, redis: &Redis, environment: Option<Profile>) {
    let Some(profile) = environment else { return };
    let by_url =
        profile.variables().iter().any(|variable| RoutePart::of(variable.name) == Some(RoutePart::Url));
    let cure = "remove it, or the variables that say where Redis is";
    let mut wrong = |key: &str, what: &str| sense.wrong(&root("redis").key(key), what.to_owned(), cure);
    if redis.topology != Topology::Standalone {
        wrong("topology", "variables that say where Redis is name one server");
    }
    if redis.user.is_some() && !by_url {
        wrong("user", "REDIS_PASSWORD and its kin have no place for a user");
    }
    if redis.tls && !by_url {
        wrong("tls", "REDIS_HOST and its kin have no place for TLS");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::scenario::Scenario;

    /// What is wrong with a scenario of that profile whose variables say where Redis is, and that asks for this of it.
    fn told(profile: &str, variables: &str, redis: &str) -> String {
        let text = format!(
            "proves = 'x'\n[client]\nprofile = '{profile}'\nenvironment = {{ {variables} }}\n[redis]\n{redis}\n\
             [load]\ninstances = 1\nsessions = 1\nrate = '1/s'\n[[phase]]\nname = 'steady'\nfor = '1s'\n"
        );
        let parsed = Scenario::parse("x", Path::new("x.toml"), text.as_bytes());
        parsed.map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
    }

    #[test]
    fn what_variables_have_no_place_for_is_told() {
        let parts = "REDIS_HOST = '{host}', REDIS_PORT = '{port}', REDIS_PASSWORD = '{password}', REDIS_DB = '{database}'";
        let url = "REDIS_URL = '{url}'";
        assert_eq!(told("companion", parts, "password = true\ndatabase = 3"), "nothing");
        assert_eq!(told("cache-v4", url, "user = 'web'\npassword = true\ntls = true"), "nothing");
        for (redis, what) in [
            ("user = 'web'\npassword = true", "no place for a user"),
            ("tls = true", "no place for TLS"),
            ("topology = 'sentinel'", "name one server"),
        ] {
            let told = told("companion", parts, redis);
            assert!(told.contains(what) && told.contains("remove it"), "{told}");
        }
        assert!(told("cache-v4", url, "topology = 'sentinel'").contains("name one server"));
    }
}

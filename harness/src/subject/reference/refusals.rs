//! What the client says to settings that are wrong: as variables of a client that starts, and as changes of one that runs.

use std::fmt::Write as _;
use std::time::Duration;

use squall_client::{Profile, SessionClient, Settings, TlsOptions};

/// A change that must be refused: the setting and its value, and what makes it.
type Change = (&'static str, fn(&mut Settings));

const CHANGES: [Change; 6] = [
    ("breaker.failures = 0", |settings| settings.breaker.failures = 0),
    ("operation_timeout = 0s", |settings| settings.operation_timeout = Duration::ZERO),
    ("deadline = 1ms", |settings| settings.deadline = Duration::from_millis(1)),
    ("pool.connections = 0", |settings| settings.pool.connections = 0),
    ("breaker.jitter = 2", |settings| settings.breaker.jitter = 2.0),
    ("key_prefix = \"other:\"", |settings| settings.key_prefix = "other:".to_owned()),
];

/// Tries them, and gives a line for each: the setting and the value, and what was said, or `accepted`.
pub(in crate::subject) fn refusals(client: &SessionClient) -> String {
    let mut lines = String::new();
    let mut line = |of: &str, tried: &str, said: Result<(), String>| {
        let said = said.err().unwrap_or_else(|| "accepted".to_owned());
        // To a text nothing fails.
        let _ = writeln!(lines, "{of} {tried}: {said}");
    };
    for profile in Profile::ALL {
        for variable in profile.variables() {
            for value in wrong(variable.name) {
                let value_of = |name: &str| (name == variable.name).then(|| (*value).to_owned());
                let said = profile.configured(value_of, &TlsOptions::default());
                let said = said.map(drop).map_err(|error| error.to_string());
                line(profile.name(), &format!("{} = {value:?}", variable.name), said);
            }
        }
    }
    let before = client.settings();
    for (what, change) in CHANGES {
        let mut settings = Settings::clone(&before);
        change(&mut settings);
        line("running", what, client.reconfigure(settings).map_err(|error| error.to_string()));
    }
    let unchanged = client.settings() == before;
    lines.push_str(if unchanged { "nothing has changed\n" } else { "its settings have changed\n" });
    lines
}

/// Values that a variable cannot have.
fn wrong(variable: &str) -> &'static [&'static str] {
    match variable {
        "REDIS_URL" | "CHANNEL_REDIS_URL" => {
            &["localhost:6379", "http://localhost", "redis://localhost:65536", "redis://localhost/16"]
        }
        "REDIS_HOST" => &["a b", "user@localhost", "localhost/3"],
        "REDIS_PORT" => &["0", "65536", "http"],
        "REDIS_PASSWORD" => &["a line\n"],
        "REDIS_DB" => &["16", "-1", "first"],
        "SESSION_ENCRYPTION_KEYS" => &["1:short"],
        "SESSION_ENCRYPTION_READ_PLAIN" => &["yes"],
        _ => &["x", "-1", "1e99"],
    }
}

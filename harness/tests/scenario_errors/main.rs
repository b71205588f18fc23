//! What people read when a scenario file is wrong. Each error names file, line, column, key and cure, and shows the line.

mod faults;
mod form;
mod login;
mod meaning;
mod suite;
mod telling;
mod through;
mod topology;

use std::path::Path;

use squall::scenario::Scenario;

const VALID: &str = r#"proves = "x"

[client]
profile = "chatbot"
breaker = { failures = 3 }

[load]
instances = 2
rate = "100/s"

[[phase]]
name = "steady"
for = "2s"

[[phase]]
name = "outage"
for = "5s"

[[phase.faults]]
inject.latency = { delay = "200ms", jitter = "50ms" }
at = "1s"

[[phase]]
name = "calm"
for = "8s"
"#;

fn told(text: &[u8]) -> String {
    match Scenario::parse("breaker/x", Path::new("breaker/x.toml"), text) {
        Ok(_) => "it is fine".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// What is told of the valid file with each first text replaced by the second.
fn with(changes: &[(&str, &str)]) -> String {
    let mut text = VALID.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in the valid file");
        text = text.replacen(from, to, 1);
    }
    told(text.as_bytes())
}

//! What is not TOML, in words that help.

use std::collections::BTreeSet;

use super::problem::Found;

/// What is wrong, once a line: further errors of a line, and keys that seem to be doubled after another error, only follow
/// from the first one.
pub(super) fn found(text: &str, errors: &[toml::de::Error]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut lines = BTreeSet::new();
    let mut broken = false;
    for error in errors {
        let message = error.message();
        let span = error.span().unwrap_or(0..0);
        let before = text.get(..span.start).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let doubled = message == "duplicate key";
        if (doubled && broken) || !lines.insert(start) {
            continue;
        }
        broken |= !doubled;
        let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let key = key(line);
        let (what, cure) = in_our_words(message, line);
        found.push(Found { key, what, cure, span });
    }
    found
}

fn in_our_words(message: &str, line: &str) -> (String, String) {
    let (what, cure) = match message {
        "duplicate key" if LISTS.contains(&line.trim()) => (
            "this header stands here for the second time, and heads a list",
            "write [[...]] and not [...] for a list",
        ),
        "duplicate key" => ("the key stands here for the second time", "keep one of the two"),
        "cannot recurse further; max recursion depth met" => ("this is nested too deeply", "nest less"),
        message if message.starts_with("string values must be quoted") => {
            ("a string stands in quotes", "write it like \"400/s\"")
        }
        message => match message.split_once(", expected ") {
            Some((what, expected)) => return (what.to_owned(), format!("expected {expected}")),
            None => (message, "this is not TOML; docs/scenarios.md shows how a scenario is written"),
        },
    };
    (what.to_owned(), cure.to_owned())
}

/// Headers of lists, written as if there were but one.
const LISTS: [&str; 5] =
    ["[phase]", "[expect.breaker]", "[expect.metric]", "[expect.sometimes]", "[expect.told]"];

/// The key or the header that a line begins with.
fn key(line: &str) -> String {
    let header = line.trim_start().strip_prefix('[').map(|rest| rest.trim_matches(|c| "[]".contains(c)));
    let key = header.or_else(|| line.split_once('=').map(|(key, _)| key)).unwrap_or_default().trim();
    let plain = key.len() <= 100 && key.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    if plain { key.to_owned() } else { String::new() }
}

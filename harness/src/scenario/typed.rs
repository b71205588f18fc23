//! From the tree of a file to its types, with every error that can be found, not only the first.

use std::ops::Range;

use serde::Deserialize;
use toml::Deserializer;

use super::document::{self, Tree};
use super::problem::Found;
use crate::suggest;

/// Errors of one tree beyond which reading it ends.
const MOST: usize = 32;

/// Reads `part`, which is `whole` or a table of it. After each error what is wrong is taken out, and the rest is read again.
pub(super) fn read<'i, T: Deserialize<'i>>(
    whole: &Tree<'i>,
    part: &Tree<'i>,
    found: &mut Vec<Found>,
) -> Option<T> {
    let mut part = part.clone();
    let mut removed: Vec<(Range<usize>, String)> = Vec::new();
    let mut clean = true;
    for _ in 0..MOST {
        let error = match T::deserialize(Deserializer::from(part.clone())) {
            Ok(value) => return clean.then_some(value),
            Err(error) => error,
        };
        clean = false;
        let span = error.span().unwrap_or_else(|| part.span());
        let missing = missing_key(error.message());
        // A key that was taken out because it is wrong is not missing.
        let followed = missing.is_some_and(|key| removed.iter().any(|(at, k)| *at == span && k == key));
        if !followed {
            let path = document::find(whole, &span).unwrap_or_default();
            let path = missing.map_or_else(|| path.clone(), |key| path.key(key));
            let (what, cure) = in_our_words(error.message());
            found.push(Found { key: path.to_string(), what, cure, span: span.clone() });
        }
        let Some(path) = document::find(&part, &span) else { break };
        let (around, key) = path.last(&part);
        if let Some(key) = key {
            removed.push((around, key));
        }
        if !document::remove(&mut part, &path) {
            break;
        }
    }
    None
}

fn missing_key(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// What an error of serde says, and the cure.
fn in_our_words(message: &str) -> (String, String) {
    let message: String = message.trim_end().chars().take(2000).collect();
    if let Some(key) = missing_key(&message) {
        return ("the key is missing".to_owned(), format!("add {}", example(key)));
    }
    for (start, what) in [("unknown field `", "unknown key"), ("unknown variant `", "unknown value")] {
        let Some(rest) = message.strip_prefix(start) else { continue };
        // The last such words: what the file says stands before them, and may say anything.
        let Some((wrong, names)) = rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there "))
        else {
            continue;
        };
        let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        let wrong: String = wrong.chars().take(60).collect();
        let cure = match suggest::nearest(&wrong, names.iter().copied()) {
            Some(name) => format!("did you mean {name:?}?"),
            None if names.is_empty() => "remove it; nothing may stand here".to_owned(),
            None => format!("expected one of: {}", names.join(", ")),
        };
        return (format!("{what} {wrong:?}"), cure);
    }
    for start in ["invalid type: ", "invalid value: "] {
        if let Some((wrong, expected)) =
            message.strip_prefix(start).and_then(|m| m.rsplit_once(", expected "))
        {
            let wrong: String = wrong.chars().take(80).collect();
            return (format!("{wrong} cannot stand here"), format!("expected {expected}"));
        }
    }
    if let Some((what, cure)) = message.rsplit_once("; ") {
        return (what.to_owned(), cure.to_owned());
    }
    if let Some((what, expected)) = message.rsplit_once(" (expected ") {
        return (what.to_owned(), format!("expected {}", expected.trim_end_matches(')')));
    }
    (message, "write it as docs/scenarios.md shows".to_owned())
}

fn example(key: &str) -> String {
    let value = match key {
        "for" => "\"5s\"",
        "name" => "\"steady\"",
        "inject" => "\"refuse\"",
        "sequence" => "[\"closed\", \"open\", \"half-open\", \"closed\"]",
        "of" => "\"get.ok_rate\"",
        "is" => "\">= 0.99\"",
        "check" => "\"I8\"",
        "because" => "\"the reason\"",
        "delay" | "jitter" => "\"200ms\"",
        "rate" => "\"16 KiB/s\"",
        "average_size" => "\"32 B\"",
        "bytes" => "\"8 KiB\"",
        "data" => "\"lost\"",
        _ => return format!("`{key}`"),
    };
    format!("{key} = {value}")
}

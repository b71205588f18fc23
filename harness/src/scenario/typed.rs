//! From the tree of a file to its types, with every error that can be found, not only the first.

use std::ops::Range;

use serde::Deserialize;
use toml::Deserializer;

use super::document::{self, Path, Tree};
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
    let mut reading = Reading { whole, part: part.clone(), removed: Vec::new(), found };
    let mut clean = true;
    for _ in 0..MOST {
        let error = match T::deserialize(Deserializer::from(reading.part.clone())) {
            Ok(value) => return clean.then_some(value),
            Err(error) => error,
        };
        clean = false;
        let span = error.span().unwrap_or_else(|| part.span());
        let path = document::find(whole, &span).unwrap_or_default();
        let lists = document::misplaced_lists(whole);
        let went_on = match lists.iter().find(|list| path.is_within(list)) {
            Some(list) => reading.list(list),
            None => reading.error(error.message(), &path, span),
        };
        if !went_on {
            break;
        }
    }
    None
}

/// What is read, and what was taken out of it so far.
struct Reading<'a, 'i> {
    whole: &'a Tree<'i>,
    part: Tree<'i>,
    /// Where the table stands that a key was taken out of, with the key, or with the key that was meant.
    removed: Vec<(Range<usize>, String)>,
    found: &'a mut Vec<Found>,
}

impl Reading<'_, '_> {
    /// Tells of an error, unless it follows from one that was told. Says whether something could be taken out.
    fn error(&mut self, message: &str, path: &Path, span: Range<usize>) -> bool {
        let missing = missing_key(message);
        let (what, cure) = in_our_words(message);
        let followed = self.removed.iter().any(|(at, key)| *at == span && missing.is_none_or(|m| m == key));
        if !followed {
            let key = missing.map_or_else(|| path.clone(), |key| path.key(key));
            self.found.push(Found { key: key.to_string(), what, cure: cure.clone(), span: span.clone() });
        }
        let Some(path) = document::find(&self.part, &span) else { return false };
        if let (around, Some(key)) = path.last(&self.part) {
            if let Some(meant) = cure.strip_prefix("did you mean \"").and_then(|m| m.strip_suffix("\"?")) {
                self.removed.push((around.clone(), meant.to_owned()));
            }
            self.removed.push((around, key));
        }
        document::remove(&mut self.part, &path)
    }

    fn list(&mut self, list: &Path) -> bool {
        let span = document::span(self.whole, list);
        self.found.push(misplaced(list, span.clone()));
        document::find(&self.part, &span).is_some_and(|path| {
            // The list of one table stands where the table stands; only the list as a whole is taken out.
            let path = path.without_index();
            document::remove(&mut self.part, &path)
        })
    }
}

/// Tells of a list that stands where none may.
pub(super) fn misplaced(list: &Path, span: Range<usize>) -> Found {
    let what = "a list cannot stand here".to_owned();
    let cure = "write [...] and not [[...]] for a table, and a single value without brackets".to_owned();
    Found { key: list.to_string(), what, cure, span }
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
            if wrong == "map" && expected == "a sequence" {
                return (
                    "a table cannot stand here".to_owned(),
                    "write [[...]] and not [...] for a list".to_owned(),
                );
            }
            let what = match wrong.as_str() {
                "map" => "a table",
                "sequence" => "a list",
                other => other.trim_end_matches(" as i128").trim_end_matches(" as u128"),
            };
            return (format!("{what} cannot stand here"), format!("expected {}", kind(expected)));
        }
    }
    if message == "wanted string or table" {
        let cure = "write one of the names that docs/scenarios.md has, in quotes";
        return ("this is no name".to_owned(), cure.to_owned());
    }
    if let Some((what, cure)) = message.rsplit_once("; ") {
        return (what.to_owned(), cure.to_owned());
    }
    if let Some((what, expected)) = message.rsplit_once(" (expected ") {
        return (what.to_owned(), format!("expected {}", expected.trim_end_matches(')')));
    }
    (message, "write it as docs/scenarios.md shows".to_owned())
}

/// What a type of Rust is called in a file.
fn kind(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list, such as [\"...\"]",
        "a map" => "a table, such as { key = \"value\" }",
        other if other.starts_with("struct ") => "a table, such as { key = \"value\" }",
        other => other,
    }
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
        "fails" => "\"I1\"",
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

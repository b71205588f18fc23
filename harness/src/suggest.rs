//! "Did you mean": the nearest of the names that would have been right.

/// The name nearest to `wrong`, if one is near enough to be what was meant.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance takes time with the length, and nobody misspells this much.
    if wrong.chars().count() > 60 {
        return None;
    }
    let scored = names.into_iter().map(|name| (strsim::damerau_levenshtein(wrong, name), name));
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= (wrong.chars().count() / 3).max(1) + 1).then_some(name)
}

/// `unknown metric "get.okrate"; did you mean "get.ok_rate"?`, or the names when none is near.
pub fn unknown(what: &str, wrong: &str, names: &[impl AsRef<str>]) -> String {
    let names = names.iter().map(AsRef::as_ref);
    let wrong = wrong.chars().take(61).collect::<String>();
    let wrong = wrong.as_str();
    match nearest(wrong, names.clone()) {
        Some(name) => format!("unknown {what} {wrong:?}; did you mean {name:?}?"),
        None => {
            format!("unknown {what} {wrong:?}; expected one of: {}", names.collect::<Vec<_>>().join(", "))
        }
    }
}

//! `--filter`: which scenarios are meant.

/// Whether `name` is meant by any of `filters`; without filters every name is.
pub(super) fn meant(name: &str, filters: &[String]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| fits(name, filter))
}

/// Whether `name` has the text; or, where the text has a `*` or `?`, whether the whole name fits the pattern.
fn fits(name: &str, filter: &str) -> bool {
    if !filter.contains(['*', '?']) {
        return name.contains(filter);
    }
    let pattern: Vec<char> = filter.chars().collect();
    // Which lengths of the pattern's beginning fit what was read of the name.
    let mut fitting = vec![false; pattern.len() + 1];
    fitting[0] = true;
    let spread = |fitting: &mut Vec<bool>| {
        for (at, c) in pattern.iter().enumerate() {
            fitting[at + 1] |= *c == '*' && fitting[at];
        }
    };
    spread(&mut fitting);
    for c in name.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (at, wanted) in pattern.iter().enumerate() {
            match wanted {
                '*' => next[at + 1] |= fitting[at + 1],
                '?' => next[at + 1] |= fitting[at],
                wanted => next[at + 1] |= fitting[at] && *wanted == c,
            }
        }
        spread(&mut next);
        fitting = next;
    }
    fitting[pattern.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_may_stand_anywhere_and_patterns_fit_the_whole_name() {
        for (name, filter, expected) in [
            ("reset/live-connections", "live", true),
            ("reset/live-connections", "reset/*", true),
            ("reset/live-connections", "*live*", true),
            ("reset/live-connections", "live*", false),
            ("reset/live-connections", "reset/?ive-connections", true),
            ("reset/live-connections", "reset/??ive-connections", false),
            ("reset/live-connections", "**", true),
            ("", "*", true),
            ("", "?", false),
            ("aab", "a*b*", true),
            ("reset/live-connections", "Live", false),
        ] {
            assert_eq!(fits(name, filter), expected, "{name} {filter}");
        }
    }

    #[test]
    fn any_of_several_filters_will_do() {
        let filters = ["ttl".to_owned(), "reset".to_owned()];
        assert!(meant("reset/x", &filters) && !meant("breaker/x", &filters) && meant("anything", &[]));
    }
}

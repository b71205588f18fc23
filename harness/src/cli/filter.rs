//! `--filter`: which scenarios are meant.

use crate::pattern;

/// Whether `name` is meant by any of `filters`; without filters every name is.
pub(super) fn meant(name: &str, filters: &[String]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| fits(name, filter))
}

/// Whether `name` has the text; or, where the text has a `*` or `?`, whether the whole name fits the pattern.
fn fits(name: &str, filter: &str) -> bool {
    if filter.contains(['*', '?']) { pattern::fits(name, filter) } else { name.contains(filter) }
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

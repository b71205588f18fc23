//! Patterns with `*` and `?`.

/// Whether all of `text` fits the pattern: `*` stands for any characters, `?` for one. In time and memory bounded by the product
/// of their lengths.
pub fn fits(text: &str, pattern: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    // Which lengths of the pattern's beginning fit what was read of the name.
    let mut fitting = vec![false; pattern.len() + 1];
    fitting[0] = true;
    let spread = |fitting: &mut Vec<bool>| {
        for (at, c) in pattern.iter().enumerate() {
            fitting[at + 1] |= *c == '*' && fitting[at];
        }
    };
    spread(&mut fitting);
    for c in text.chars() {
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
    fn a_pattern_fits_the_whole_text() {
        for (text, pattern, expected) in [
            ("reset/live", "reset/*", true),
            ("reset/live", "*live*", true),
            ("reset/live", "live*", false),
            ("reset/live", "reset/?ive", true),
            ("reset/live", "reset/??ive", false),
            ("reset/live", "**", true),
            ("", "*", true),
            ("", "?", false),
            ("", "", true),
            ("aab", "a*b*", true),
        ] {
            assert_eq!(fits(text, pattern), expected, "{text} {pattern}");
        }
    }
}

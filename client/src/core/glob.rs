//! Patterns as Redis takes them, for `KEYS`, `SCAN` and ACL rules.

/// Whether `text` as a whole matches `pattern`: `*`, `?`, `[a-z]`, `[^a]` and `\` for a literal.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to take up again: after the last star, having given it one more byte.
    let mut again: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            again = Some((p + 1, t));
            p += 1;
            continue;
        }
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(_), Some(byte)) => one(&pattern[p..], *byte),
            _ => None,
        };
        match (step, again) {
            (Some(taken), _) => {
                p += taken;
                t += 1;
            }
            (None, Some((after_star, from))) if from < text.len() => {
                again = Some((after_star, from + 1));
                (p, t) = (after_star, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// How many bytes of the pattern matched this one byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (found, length) = in_class(class, byte);
            found.then_some(length + 1)
        }
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// Whether the class that follows an opening bracket holds the byte, and how long the class is.
fn in_class(class: &[u8], byte: u8) -> (bool, usize) {
    let (negated, mut at) = if class.first() == Some(&b'^') { (true, 1) } else { (false, 0) };
    let mut found = false;
    loop {
        match &class[at..] {
            // A class that is not closed ends with the pattern.
            [] => return (found != negated, at),
            [b'\\', literal, ..] => {
                found |= *literal == byte;
                at += 2;
            }
            [b']', ..] => return (found != negated, at + 1),
            [first, b'-', last, ..] => {
                found |= (*first.min(last)..=*first.max(last)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= *literal == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        let yes =
            [("*", ""), ("h?llo", "hello"), ("h[ae]llo", "hallo"), ("h[^e]llo", "hallo"), ("a*c*e", "abcde")];
        let yes = yes.iter().chain(&[
            ("h[a-c]", "hb"),
            ("h[c-a]", "hb"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("**a", "ba"),
        ]);
        for (pattern, text) in yes {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        let no =
            [("", "a"), ("h?llo", "hllo"), ("h[^e]llo", "hello"), ("a*c", "ab"), ("\\*", "a"), ("a", "ab")];
        for (pattern, text) in no {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!matches("a*".repeat(40).as_bytes(), &[b'a'; 2000][..30]));
        let pattern = format!("{}b", "*a".repeat(200));
        assert!(!matches(pattern.as_bytes(), &[b'a'; 5000]));
    }
}

//! Makes control characters visible. Scenario names and the subject's words come from outside: what they hold must not
//! steer a terminal or break a file.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every control character but the line break written as `\u{1b}`, and so is what turns text around.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unseen(c) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// [`visible`], with line breaks written as a space: for what must stay on one line.
pub(super) fn one_line(text: &str) -> String {
    visible(text.trim()).split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}

fn is_unseen(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_as_it_is() {
        assert!(matches!(visible("Grüße, 二\nzwei"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_steers_a_terminal_is_shown_instead() {
        assert_eq!(visible("\u{1b}[2Jboo\0\r\u{202e}"), "\\u{1b}[2Jboo\\u{0}\\u{d}\\u{202e}");
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(one_line(" a\n  b\r\n"), "a b");
    }
}

//! The lines that come nearest to a pattern, for a witness in words.

/// How many lines are shown.
const SHOWN: usize = 3;

/// How many characters of a line are shown.
const LONGEST: usize = 240;

/// That no line fits the pattern, and which come nearest.
pub(super) fn missing(lines: &[&str], pattern: &str) -> String {
    let near = nearest(lines, pattern);
    let count = match lines.len() {
        0 => "no line".to_owned(),
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    };
    if near.is_empty() {
        return format!("{count}, none like `{pattern}`");
    }
    let shown: Vec<String> = near.into_iter().map(quoted).collect();
    format!("{count}, none of them `{pattern}`; the nearest: {}", shown.join(" | "))
}

/// The line, shortened if it is long.
pub(super) fn quoted(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

/// Those that share the most with the pattern's plain parts, in their order.
fn nearest<'a>(lines: &[&'a str], pattern: &str) -> Vec<&'a str> {
    let parts: Vec<&str> = pattern.split(['*', '?']).filter(|part| !part.is_empty()).collect();
    let mut ranked: Vec<(usize, usize)> = lines
        .iter()
        .enumerate()
        .map(|(place, line)| (parts.iter().map(|part| shared(line, part)).sum(), place))
        .collect();
    ranked.sort_by_key(|(shared, place)| (std::cmp::Reverse(*shared), *place));
    let mut places: Vec<usize> =
        ranked.into_iter().filter(|(shared, _)| *shared > 0).map(|(_, place)| place).take(SHOWN).collect();
    places.sort_unstable();
    places.into_iter().map(|place| lines[place]).collect()
}

/// How many bytes of the beginning of `part` stand somewhere in `line`.
fn shared(line: &str, part: &str) -> usize {
    let ends = part.char_indices().map(|(start, c)| start + c.len_utf8());
    ends.take_while(|end| line.contains(&part[..*end])).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 5] =
        ["# TYPE circuit_open counter", "circuit_open_total 0", "x", "circuit_breaker_state 0", "dirty 1"];

    #[test]
    fn the_nearest_lines_are_shown_in_their_order() {
        assert_eq!(
            missing(&LINES, "circuit_open_total*1"),
            "5 lines, none of them `circuit_open_total*1`; the nearest: \
             # TYPE circuit_open counter | circuit_open_total 0 | circuit_breaker_state 0"
        );
    }

    #[test]
    fn where_nothing_is_alike_nothing_is_shown() {
        assert_eq!(missing(&LINES, "*ö*"), "5 lines, none like `*ö*`");
        assert_eq!(missing(&[], "*a*"), "no line, none like `*a*`");
    }

    #[test]
    fn a_long_line_is_shortened_between_characters() {
        let shown = quoted(&"ä".repeat(1000));
        assert_eq!(shown.chars().count(), LONGEST + 3);
    }
}

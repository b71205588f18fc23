//! What is wrong with a scenario file, shown the way compilers do: file, line, column, key, the line itself and the cure.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Problems of one file that are kept; more would help nobody.
const MOST: usize = 20;
/// Columns of a line that are shown.
const WIDTH: usize = 120;

/// Everything that is wrong with one scenario file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it; never empty.
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub more: usize,
}

impl std::error::Error for ScenarioError {}

/// One thing that is wrong with a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `phase[2].faults[0].at`; empty when the whole file is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub cure: String,
    /// Where; `None` when the file could not be read.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// How many characters are meant, 1 at least.
    pub width: usize,
    /// The line's text.
    pub text: String,
}

/// A [`Problem`] before its place is looked up.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) what: String,
    pub(super) cure: String,
    pub(super) span: Range<usize>,
}

impl ScenarioError {
    /// The file as a whole is wrong.
    pub(super) fn whole(path: &Path, what: impl Into<String>, cure: impl Into<String>) -> Self {
        let problem = Problem { key: String::new(), what: what.into(), cure: cure.into(), place: None };
        Self { path: path.to_owned(), problems: vec![problem], more: 0 }
    }

    /// Things found in `text`, of which there is at least one.
    pub(super) fn found(path: &Path, text: &str, mut found: Vec<Found>) -> Self {
        found.sort_by_key(|found| (found.span.start, found.span.end));
        let more = found.len().saturating_sub(MOST);
        let problems = found.into_iter().take(MOST).map(|found| Problem {
            place: Some(Place::of(text, &found.span)),
            key: short(found.key),
            what: short(found.what),
            cure: short(found.cure),
        });
        Self { path: path.to_owned(), problems: problems.collect(), more }
    }
}

/// A text that quotes the file is as long as the file wants it.
fn short(text: String) -> String {
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

impl Place {
    /// Where `span` lies in `text`. Any span will do.
    fn of(text: &str, span: &Range<usize>) -> Self {
        // The mark that some editors put first is no column.
        let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let start = boundary(text, span.start).max(mark);
        let end = boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(mark, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let shown = text[line_start..line_end].trim_end_matches('\r');
        Self {
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..end.min(line_end)].trim_end().chars().count().max(1),
            text: shown.to_owned(),
        }
    }
}

/// The nearest place at or before `index` where a character begins.
fn boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0)
}

/// `text` without anything that a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(' '),
            // What turns text around takes no place on the screen, and neither does its mark: the columns below stay right.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                shown.push('\u{fffd}');
            }
            c => shown.push(c),
        }
    }
    shown
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = printable(&self.path.display().to_string());
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            problem.show(f, &path)?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more in {path}\n", self.more)?;
        }
        Ok(())
    }
}

impl Problem {
    fn show(&self, f: &mut fmt::Formatter<'_>, path: &str) -> fmt::Result {
        f.write_str("error: ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", printable(&self.key))?;
        }
        writeln!(f, "{}", printable(&self.what))?;
        let cure = printable(&self.cure);
        let Some(place) = &self.place else {
            writeln!(f, " --> {path}")?;
            return writeln!(f, "  = {cure}");
        };
        let gutter = " ".repeat(place.line.to_string().len());
        writeln!(f, "{gutter}--> {path}:{}:{}", place.line, place.column)?;
        writeln!(f, "{gutter} |")?;
        let (text, column, width) = place.window();
        writeln!(f, "{} | {text}", place.line)?;
        writeln!(f, "{gutter} | {}{} {cure}", " ".repeat(column), "^".repeat(width))
    }
}

impl Place {
    /// The part of the line that is shown, and the first column and the width of what is meant within it.
    fn window(&self) -> (String, usize, usize) {
        let column = self.column - 1;
        let skipped = if column + self.width < WIDTH { 0 } else { column.saturating_sub(20) };
        let part: String = self.text.chars().skip(skipped).take(WIDTH).collect();
        let mut text = if skipped > 0 { format!("...{part}") } else { part };
        let moved = if skipped > 0 { 3 } else { 0 };
        let width = self.width.min(WIDTH - (column - skipped).min(WIDTH - 1));
        if self.text.chars().count() > skipped + WIDTH {
            text.push_str("...");
        }
        (printable(&text), column - skipped + moved, width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str, span: Range<usize>) -> String {
        let found =
            Found { key: "a.b".to_owned(), what: "wrong".to_owned(), cure: "do this".to_owned(), span };
        ScenarioError::found(Path::new("x.toml"), text, vec![found]).to_string()
    }

    #[test]
    fn a_problem_is_shown_under_its_line() {
        insta::assert_snapshot!(show("one\ntwo = \"ü\" # x\nthree\n", 10..14), @r###"
        error: a.b: wrong
         --> x.toml:2:7
          |
        2 | two = "ü" # x
          |       ^^^ do this
        "###);
    }

    #[test]
    fn a_place_at_the_end_in_a_character_or_beyond_does_no_harm() {
        for (from, to) in [(0, 0), (3, 3), (4, 4), (99, 100), (1, 99), (2, 1)] {
            let span = from..to;
            show("aü\n", span);
        }
        show("", 0..0);
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("key = \"{}\" # {}", "x".repeat(500), "y".repeat(500));
        let shown = show(&text, 6..508);
        assert!(shown.lines().all(|line| line.chars().count() < 150), "{shown}");
        let shown = show(&text, 700..701);
        assert!(shown.lines().all(|line| line.chars().count() < 150), "{shown}");
    }

    #[test]
    fn nothing_in_a_file_reaches_the_terminal_as_a_command() {
        assert!(!show("a = \"\u{1b}[31m\"", 4..10).contains('\u{1b}'));
    }
}

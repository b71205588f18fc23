//! Lines of bounded length from a stream, and the last of them for quoting.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// The longest line of a subject in bytes.
pub(crate) const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Lines that are kept for quoting.
const LAST: usize = 10;

/// Characters of a line that are kept for quoting.
const WIDTH: usize = 300;

/// What came instead of a further line.
#[derive(Debug)]
pub(crate) enum NoLine {
    /// The stream ended.
    End,
    /// The stream broke.
    Broken(io::Error),
    /// A line is longer than it may be; this is its beginning.
    TooLong(Vec<u8>),
}

/// Reads the next line into `line`, without its end. A last line that is not ended counts.
pub(crate) async fn next_line<R>(from: &mut R, longest: usize) -> Result<Vec<u8>, NoLine>
where
    R: AsyncBufRead + Unpin,
{
    let mut line = Vec::new();
    loop {
        let some = from.fill_buf().await.map_err(NoLine::Broken)?;
        if some.is_empty() {
            return if line.is_empty() { Err(NoLine::End) } else { Ok(line) };
        }
        let end = some.iter().position(|byte| *byte == b'\n');
        let length = end.unwrap_or(some.len());
        line.extend_from_slice(&some[..length]);
        from.consume(end.map_or(length, |end| end + 1));
        if line.len() > longest {
            return Err(NoLine::TooLong(line));
        }
        if end.is_some() {
            return Ok(line);
        }
    }
}

/// The last lines of a stream, each cut to a readable width.
#[derive(Debug, Default)]
pub(crate) struct LastLines {
    lines: VecDeque<String>,
}

impl LastLines {
    /// Adds a line; the oldest makes room.
    pub(crate) fn push(&mut self, line: impl AsRef<[u8]>) {
        if self.lines.len() == LAST {
            self.lines.pop_front();
        }
        self.lines.push_back(cut(line.as_ref()));
    }

    /// The lines under a heading, indented; `(nothing)` when there are none.
    pub(crate) fn quoted(&self, stream: &str) -> String {
        if self.lines.is_empty() {
            return format!("\n  its {stream}: (nothing)");
        }
        let lines = self.lines.iter().map(|line| format!("\n    {line}"));
        format!("\n  the last of its {stream}:{}", lines.collect::<String>())
    }
}

/// The beginning of `line` as text that is safe to show.
pub(crate) fn cut(line: &[u8]) -> String {
    let start = &line[..line.len().min(4 * WIDTH)];
    let text = String::from_utf8_lossy(start);
    let shown: String = text.chars().take(WIDTH).flat_map(visible).collect();
    if text.chars().count() > WIDTH || start.len() < line.len() {
        format!("{shown}... ({} bytes)", line.len())
    } else {
        shown
    }
}

fn visible(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &[u8], longest: usize) -> (Vec<String>, NoLine) {
        // A buffer of three bytes, so that lines come in pieces.
        let mut from = tokio::io::BufReader::with_capacity(3, text);
        let mut lines = Vec::new();
        loop {
            match next_line(&mut from, longest).await {
                Ok(line) => lines.push(String::from_utf8(line).unwrap()),
                Err(end) => return (lines, end),
            }
        }
    }

    #[tokio::test]
    async fn lines_are_read_whole_and_the_last_needs_no_end() {
        let (lines, end) = all(b"one\n\ntwo more\nlast", 100).await;
        assert_eq!(lines, ["one", "", "two more", "last"]);
        assert!(matches!(end, NoLine::End));
    }

    #[tokio::test]
    async fn a_line_may_be_as_long_as_allowed_and_no_longer() {
        let (lines, end) = all(b"12345\n123456\n", 5).await;
        assert_eq!(lines, ["12345"]);
        assert!(matches!(end, NoLine::TooLong(_)));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut last = LastLines::default();
        assert_eq!(last.quoted("stdout"), "\n  its stdout: (nothing)");
        for number in 0..25 {
            last.push(format!("line {number}"));
        }
        let quoted = last.quoted("stdout");
        assert!(quoted.starts_with("\n  the last of its stdout:\n    line 15\n"), "{quoted}");
        assert!(quoted.ends_with("\n    line 24"), "{quoted}");
    }

    #[test]
    fn a_quoted_line_is_short_and_harmless() {
        assert_eq!(cut(b"a\x1b[31m\xff"), "a\\u{1b}[31m\u{fffd}");
        let long = cut(&vec![b'x'; 5000]);
        assert!(long.len() < 330 && long.ends_with("... (5000 bytes)"), "{long}");
    }
}

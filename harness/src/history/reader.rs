//! Reads a history entry by entry, so that nobody need hold a long one.

use std::io::{BufRead, Read as _};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Entry, Head, HistoryError, MOST_INSTANCES, MOST_SESSIONS, SCHEMA, Saved};

/// The longest line in bytes. No entry comes near it, and a file without ends of lines must not fill the memory.
pub(super) const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// After so many entries the reader notes where it is, so that an entry is found again without reading all before it.
pub(super) const STRIDE: usize = 256;

/// Reads a history entry by entry: an iterator that ends at the first error.
#[derive(Debug)]
pub struct EntryReader<R> {
    lines: Lines<R>,
    head: Head,
    latest: u64,
    ended: bool,
    /// Where every [`STRIDE`]th entry begins, in bytes from the start.
    marks: Vec<u64>,
}

/// The lines of a file.
#[derive(Debug)]
struct Lines<R> {
    source: R,
    /// The line that was read last, without its end.
    text: Vec<u8>,
    /// Its number, counted from 1.
    line: usize,
    /// Whether it had an end.
    whole: bool,
    /// Bytes read so far.
    bytes: u64,
}

/// A line of a file.
pub(super) struct Line<'a> {
    /// Without its end.
    pub(super) text: &'a [u8],
    /// Counted from 1.
    pub(super) number: usize,
    /// Whether it had an end.
    pub(super) whole: bool,
}

/// What is read of a head before the rest of it: a head of another version may have other keys.
#[derive(Deserialize)]
struct Mark {
    schema: u64,
    instances: Option<u64>,
    sessions: Option<u64>,
}

impl<R: BufRead> EntryReader<R> {
    /// Reads the head.
    ///
    /// # Errors
    ///
    /// The source is no history, of another version, or of a run larger than can be.
    pub fn new(source: R) -> Result<Self, HistoryError> {
        let mut lines = Lines { source, text: Vec::new(), line: 0, whole: false, bytes: 0 };
        if !lines.next()? {
            return Err(HistoryError::Empty);
        }
        let Mark { schema, instances, sessions } = lines.parse()?;
        if schema != u64::from(SCHEMA) {
            return Err(HistoryError::Schema { found: schema });
        }
        // Before the head itself, whose numbers have no room for what is far too large.
        let (instances, sessions) = (instances.unwrap_or(1), sessions.unwrap_or(1));
        if !(1..=u64::from(MOST_INSTANCES)).contains(&instances) || sessions > u64::from(MOST_SESSIONS) {
            return Err(HistoryError::Size { instances, sessions });
        }
        let head: Head = lines.parse()?;
        if let Some(what) = head.problem() {
            return Err(HistoryError::Head { what });
        }
        Ok(Self { lines, head, latest: 0, ended: false, marks: Vec::new() })
    }

    /// The head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Gives the head away.
    pub fn into_head(self) -> Head {
        self.head
    }

    /// How many bytes were read so far.
    pub fn bytes(&self) -> u64 {
        self.lines.bytes
    }

    /// The same source, from which single entries that were read can be had again.
    pub fn into_saved(self) -> Saved<R> {
        Saved::new(self.lines.source, self.marks)
    }

    fn entry(&mut self) -> Result<Option<Entry>, HistoryError> {
        let Some(Line { text, number, whole }) = self.line()? else { return Ok(None) };
        let entry = parse(text, number, whole)?;
        self.in_order(&entry, number)?;
        Ok(Some(entry))
    }

    /// The next line. There are no more after an error.
    pub(super) fn line(&mut self) -> Result<Option<Line<'_>>, HistoryError> {
        let start = self.lines.bytes;
        if self.ended || !self.lines.next()? {
            return Ok(None);
        }
        // The head is the first line, the first entry the second.
        if (self.lines.line - 2).is_multiple_of(STRIDE) {
            self.marks.push(start);
        }
        let Lines { text, line: number, whole, .. } = &self.lines;
        Ok(Some(Line { text, number: *number, whole: *whole }))
    }

    /// Takes the time of the next entry, which must not be before the last.
    pub(super) fn in_order(&mut self, entry: &Entry, line: usize) -> Result<(), HistoryError> {
        let before = std::mem::replace(&mut self.latest, entry.t);
        if before > entry.t {
            return Err(HistoryError::Order { line, t: entry.t, before });
        }
        Ok(())
    }

    /// There was an error: nothing more is read.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }
}

impl<R: BufRead> Iterator for EntryReader<R> {
    type Item = Result<Entry, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.entry().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line; false at the end of the file.
    fn next(&mut self) -> Result<bool, HistoryError> {
        self.line += 1;
        let read = next_line(&mut self.source, &mut self.text, self.line)?;
        self.bytes += read;
        self.whole = self.text.pop_if(|end| *end == b'\n').is_some();
        Ok(read > 0)
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, HistoryError> {
        parse(&self.text, self.line, self.whole)
    }
}

/// What a line says, by its number, and whether it had an end.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8], line: usize, whole: bool) -> Result<T, HistoryError> {
    serde_json::from_slice(text).map_err(|cause| match line {
        line if cause.is_eof() && !whole => HistoryError::CutOff { line, column: cause.column() },
        1 => HistoryError::Foreign { cause },
        line => HistoryError::Line { line, cause },
    })
}

/// Reads the next line with its end into `text`, and returns how many bytes it has.
pub(super) fn next_line(
    source: &mut impl BufRead,
    text: &mut Vec<u8>,
    line: usize,
) -> Result<u64, HistoryError> {
    text.clear();
    let read = source.take(MOST_BYTES).read_until(b'\n', text)? as u64;
    if read == MOST_BYTES && text.last() != Some(&b'\n') {
        return Err(HistoryError::Long { line });
    }
    Ok(read)
}

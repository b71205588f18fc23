//! A history as a file of JSON lines.

use std::io::{self, BufRead, Write as _};

use thiserror::Error;

use super::{Entry, Head, History, MOST_INSTANCES, MOST_SESSIONS, SCHEMA};

/// Why a history could not be read or written.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is not what the schema says.
    #[error("line {line}, column {}: {}", .cause.column(), without_place(.cause))]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// The file was written by a newer version.
    #[error(
        "line 1: the history has schema {found}, this program reads {SCHEMA}; use the program that wrote it, or a newer one"
    )]
    Schema {
        /// The version found.
        found: u32,
    },
    /// The head tells of a run larger than can be.
    #[error(
        "line 1: the history is of {instances} instances and {sessions} sessions; a run has 1 to {MOST_INSTANCES} instances and at \
         most {MOST_SESSIONS} sessions"
    )]
    Size {
        /// The number of instances found.
        instances: u16,
        /// The number of sessions found.
        sessions: u32,
    },
    /// The file is empty.
    #[error("the history is empty: its first line should be the head")]
    Empty,
    /// Times go back.
    #[error("line {line}: time {t} is before that of the line above; entries must be in order")]
    Order {
        /// The line, counted from 1.
        line: usize,
        /// Its time in nanoseconds.
        t: u64,
    },
}

/// Writes `history` to `out`, a line for the head and a line for each entry.
pub fn write(history: &History, out: impl io::Write) -> Result<(), HistoryError> {
    let mut out = io::BufWriter::new(out);
    line(&mut out, &history.head)?;
    for entry in &history.entries {
        line(&mut out, entry)?;
    }
    out.flush()?;
    Ok(())
}

/// Reads what [`write()`] wrote.
pub fn read(source: impl BufRead) -> Result<History, HistoryError> {
    let mut lines = source.lines().enumerate().map(|(index, text)| (index + 1, text));
    let (_, first) = lines.next().ok_or(HistoryError::Empty)?;
    let head: Head = serde_json::from_str(&first?).map_err(|cause| HistoryError::Line { line: 1, cause })?;
    if head.schema != SCHEMA {
        return Err(HistoryError::Schema { found: head.schema });
    }
    let Head { instances, sessions, .. } = head;
    if !(1..=MOST_INSTANCES).contains(&instances) || sessions > MOST_SESSIONS {
        return Err(HistoryError::Size { instances, sessions });
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (line, text) in lines {
        let entry: Entry =
            serde_json::from_str(&text?).map_err(|cause| HistoryError::Line { line, cause })?;
        if entries.last().is_some_and(|before| before.t > entry.t) {
            return Err(HistoryError::Order { line, t: entry.t });
        }
        entries.push(entry);
    }
    Ok(History { head, entries })
}

/// The words of an error of a line, without the place that serde_json adds, for which every line is the first.
fn without_place(cause: &serde_json::Error) -> String {
    let words = cause.to_string();
    words.split(" at line ").next().unwrap_or(&words).to_owned()
}

fn line<T: serde::Serialize>(out: &mut impl io::Write, what: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, what)?;
    out.write_all(b"\n")
}

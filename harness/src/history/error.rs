//! Why a history could not be read or written: where, what, and what mends it.

use std::io;

use thiserror::Error;

use super::reader::MOST_BYTES;
use super::{MOST_INSTANCES, MOST_SESSIONS, SCHEMA};

/// Why a history could not be read or written.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is empty.
    #[error("the history is empty: its first line should be the head")]
    Empty,
    /// The first line is no head: the file is something else.
    #[error(
        "line 1, column {}: {}: this is no history of Squall, whose first line is a head as docs/history.md has it; `squall run` leaves \
         one as history.jsonl in the folder of each run",
        .cause.column(),
        without_place(.cause)
    )]
    Foreign {
        /// What is wrong with the line.
        cause: serde_json::Error,
    },
    /// The file was written by another version.
    #[error(
        "line 1: the history has schema {found}, this program reads {SCHEMA}; use the program that wrote it, or a newer one"
    )]
    Schema {
        /// The version found.
        found: u64,
    },
    /// The head tells of a run larger than can be.
    #[error(
        "line 1: the history is of {instances} instances and {sessions} sessions; a run has 1 to {MOST_INSTANCES} instances and at \
         most {MOST_SESSIONS} sessions"
    )]
    Size {
        /// The number of instances found.
        instances: u64,
        /// The number of sessions found.
        sessions: u64,
    },
    /// The head says something that no run can have.
    #[error("line 1: {what}; docs/history.md says what a head may have")]
    Head {
        /// What is wrong with it.
        what: String,
    },
    /// A line is not what the schema says.
    #[error("line {line}, column {}: {}; docs/history.md has every entry with an example", .cause.column(), without_place(.cause))]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// The file ends within a line.
    #[error(
        "line {line}, column {column}: the file ends within this line, so it was cut off; copy it again, or remove the line to judge \
         what comes before it"
    )]
    CutOff {
        /// The line, counted from 1.
        line: usize,
        /// Where it ends.
        column: usize,
    },
    /// A line is longer than any entry.
    #[error(
        "line {line} is longer than {MOST_BYTES} bytes, which no entry is: this is no history, or it is damaged"
    )]
    Long {
        /// The line, counted from 1.
        line: usize,
    },
    /// Times go back.
    #[error(
        "line {line}: time {t} is before {before}, that of the line above; entries must be in the order of their times, and those of \
         equal times in the order in which they happened"
    )]
    Order {
        /// The line, counted from 1.
        line: usize,
        /// Its time in nanoseconds.
        t: u64,
        /// The time of the line above.
        before: u64,
    },
    /// The history is no longer what it was when it was read.
    #[error(
        "line {line} is no longer what it was when the history was first read; let nothing write to it meanwhile"
    )]
    Changed {
        /// The line, counted from 1.
        line: usize,
    },
}

/// The words of an error of a line, without the place that serde_json adds, for which every line is the first.
fn without_place(cause: &serde_json::Error) -> String {
    let words = cause.to_string();
    words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words).to_owned()
}

//! A history that stays where it is saved: single entries of it are read again when they are asked for.

use std::io::{BufRead, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

use super::reader::{STRIDE, next_line};
use super::{Entry, History, HistoryError};

/// Gives single entries of a history again, by their place, counted from 0. What checks keep of a history is less than the
/// entries; a witness shows them whole.
pub trait Entries: Sync {
    /// The entry at this place.
    ///
    /// # Errors
    ///
    /// The history cannot be read any more, or is no longer the same.
    fn entry(&self, place: usize) -> Result<Entry, HistoryError>;
}

impl Entries for History {
    fn entry(&self, place: usize) -> Result<Entry, HistoryError> {
        self.entries.get(place).cloned().ok_or(HistoryError::Changed { line: line_of(place) })
    }
}

/// A history that was read to its end by a [`EntryReader`](super::EntryReader).
#[derive(Debug)]
pub struct Saved<R> {
    source: Mutex<R>,
    /// Where every [`STRIDE`]th entry begins, in bytes from the start.
    marks: Vec<u64>,
}

impl<R> Saved<R> {
    pub(super) fn new(source: R, marks: Vec<u64>) -> Self {
        Self { source: Mutex::new(source), marks }
    }
}

impl<R: BufRead + Seek + Send> Entries for Saved<R> {
    fn entry(&self, place: usize) -> Result<Entry, HistoryError> {
        let line = line_of(place);
        let changed = || HistoryError::Changed { line };
        let mark = self.marks.get(place / STRIDE).ok_or_else(changed)?;
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.seek(SeekFrom::Start(*mark))?;
        let mut text = Vec::new();
        for _ in 0..=place % STRIDE {
            next_line(&mut *source, &mut text, line)?;
        }
        serde_json::from_slice(&text).map_err(|_| changed())
    }
}

/// The line of the entry at this place: the first line is the head.
fn line_of(place: usize) -> usize {
    place.saturating_add(2)
}

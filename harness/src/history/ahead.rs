//! Reads a long history on all cores: lines are parsed in batches by several threads, and handed on in their order.

use std::io::BufRead;
use std::mem::take;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::reader::{EntryReader, Line, parse};
use super::{Entry, HistoryError};

/// Lines of a batch. A history of fewer is parsed before a thread could begin.
const LINES: usize = 1024;

/// Bytes of a batch, its last line aside: long lines must not fill the memory.
const BYTES: usize = 1024 * 1024;

/// Batches that wait for each thread, and that each has parsed.
const WAITING: usize = 2;

/// Lines, then their entries.
#[derive(Debug, Default)]
struct Batch {
    text: Vec<u8>,
    /// Where each line ends in it.
    ends: Vec<usize>,
    /// The number of the first line.
    first: usize,
    /// Whether the last line had an end.
    whole: bool,
    entries: Vec<Entry>,
    /// Why there are no more after these.
    error: Option<HistoryError>,
    /// Whether it is the last.
    last: bool,
    /// How many bytes were read until its end.
    bytes: u64,
}

/// A thread that parses.
struct Parser {
    lines: SyncSender<Batch>,
    parsed: Receiver<Batch>,
}

impl Batch {
    fn parse(&mut self) {
        // Those of before are dropped here, where others like them are made.
        self.entries.clear();
        let mut start = 0;
        for (place, end) in self.ends.iter().enumerate() {
            // Only the last of all can lack its end.
            let whole = self.whole || place + 1 < self.ends.len();
            match parse(&self.text[start..*end], self.first + place, whole) {
                Ok(entry) => self.entries.push(entry),
                Err(error) => {
                    self.error = Some(error);
                    return;
                }
            }
            start = *end;
        }
    }
}

impl Parser {
    fn start<'scope>(scope: &'scope thread::Scope<'scope, '_>) -> Self {
        let (lines, to_parse) = sync_channel::<Batch>(WAITING);
        let (done, parsed) = sync_channel(WAITING);
        scope.spawn(move || {
            for mut batch in to_parse {
                batch.parse();
                if done.send(batch).is_err() {
                    return;
                }
            }
        });
        Self { lines, parsed }
    }
}

impl<R: BufRead> EntryReader<R> {
    /// Reads on to the end, and hands on all entries in their order, some at a time, with the number of bytes read until then.
    ///
    /// # Errors
    ///
    /// The first error, after the entries before it were handed on.
    pub fn each(&mut self, mut hand_on: impl FnMut(&[Entry], u64)) -> Result<(), HistoryError> {
        let mut batch = self.batch(Batch::default());
        if batch.last {
            batch.parse();
            return self.checked(&mut batch, &mut hand_on);
        }
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let parsers: Vec<Parser> = (0..threads).map(|_| Parser::start(scope)).collect();
            let (mut next, mut spare) = (Some(batch), Vec::new());
            // Batches go round, so that they come back in their order.
            let (mut given, mut taken) = (0_usize, 0_usize);
            loop {
                while given - taken < WAITING * threads {
                    let Some(batch) = next.take() else { break };
                    if !batch.last {
                        next = Some(self.batch(spare.pop().unwrap_or_default()));
                    }
                    // A thread that is gone has panicked, which the end of the scope tells.
                    let Ok(()) = parsers[given % threads].lines.send(batch) else { return Ok(()) };
                    given += 1;
                }
                if given == taken {
                    return Ok(());
                }
                let Ok(mut batch) = parsers[taken % threads].parsed.recv() else { return Ok(()) };
                taken += 1;
                self.checked(&mut batch, &mut hand_on)?;
                spare.push(batch);
            }
        })
    }

    /// The next lines. The batch may have been used before.
    fn batch(&mut self, used: Batch) -> Batch {
        let Batch { mut text, mut ends, entries, .. } = used;
        text.clear();
        ends.clear();
        let mut batch = Batch { text, ends, entries, whole: true, ..Batch::default() };
        while batch.ends.len() < LINES && batch.text.len() < BYTES {
            match self.line() {
                Ok(Some(Line { text, number, whole })) => {
                    if batch.ends.is_empty() {
                        batch.first = number;
                    }
                    batch.text.extend_from_slice(text);
                    batch.ends.push(batch.text.len());
                    batch.whole = whole;
                }
                Ok(None) => {
                    batch.last = true;
                    break;
                }
                Err(error) => {
                    (batch.error, batch.last) = (Some(error), true);
                    break;
                }
            }
        }
        batch.bytes = self.bytes();
        batch
    }

    /// Hands on what is in order.
    fn checked(
        &mut self,
        batch: &mut Batch,
        hand_on: &mut impl FnMut(&[Entry], u64),
    ) -> Result<(), HistoryError> {
        let mut error = take(&mut batch.error);
        let mut right = batch.entries.len();
        for (place, entry) in batch.entries.iter().enumerate() {
            if let Err(early) = self.in_order(entry, batch.first + place) {
                (error, right) = (Some(early), place);
                break;
            }
        }
        hand_on(&batch.entries[..right], batch.bytes);
        error.map_or(Ok(()), |error| {
            self.end();
            Err(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::write;
    use crate::report::samples;

    #[test]
    fn long_lines_make_small_batches() {
        let mut history = samples::history();
        history.entries.clear();
        let mut text = Vec::new();
        write(&history, &mut text).unwrap();
        let line = 100_000;
        for _ in 0..50 {
            text.extend(std::iter::repeat_n(b'x', line));
            text.push(b'\n');
        }
        let mut reader = EntryReader::new(&text[..]).unwrap();
        let (mut lines, mut last) = (0, false);
        while !last {
            let batch = reader.batch(Batch::default());
            assert!(batch.text.len() < BYTES + line, "{} bytes", batch.text.len());
            (lines, last) = (lines + batch.ends.len(), batch.last);
        }
        assert_eq!(lines, 50);
    }
}

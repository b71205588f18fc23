//! A history as a file of JSON lines.

use std::io::{self, BufRead, Write as _};

use super::{Entry, EntryReader, Head, History, HistoryError};

/// Writes `history` to `out`, a line for the head and a line for each entry.
pub fn write(history: &History, out: impl io::Write) -> Result<(), HistoryError> {
    write_entries(&history.head, &history.entries, out)
}

/// Writes a history whose entries come one by one, so that nobody need hold them all.
pub fn write_entries<E: std::borrow::Borrow<Entry>>(
    head: &Head,
    entries: impl IntoIterator<Item = E>,
    out: impl io::Write,
) -> Result<(), HistoryError> {
    let mut out = io::BufWriter::new(out);
    line(&mut out, head)?;
    for entry in entries {
        line(&mut out, entry.borrow())?;
    }
    out.flush()?;
    Ok(())
}

/// Reads what [`write()`] wrote.
pub fn read(source: impl BufRead) -> Result<History, HistoryError> {
    let mut reader = EntryReader::new(source)?;
    let entries = reader.by_ref().collect::<Result<_, _>>()?;
    Ok(History { head: reader.into_head(), entries })
}

fn line<T: serde::Serialize>(out: &mut impl io::Write, what: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, what)?;
    out.write_all(b"\n")
}

//! Backup and restore: every session of a client's prefix, as Redis has it, as lines of text.
//!
//! A backup is read and written as it goes, so it takes no more memory than the few sessions that are on their way. A restore is a
//! merge, the one that a resync makes too: what is newer in Redis stays, what was destroyed or has expired since stays gone, and
//! doing it twice is doing it once.
//!
//! ```text
//! squall-backup 1 PREFIX UNIX_MS CHECK         the form, the key prefix, when it began by Redis's clock
//! session ID RECORD CHECK                      any number of them; the record in base64, as it lies in Redis
//! end SESSIONS CHECK                           how many there were: a file that was cut off has no such line, or too few
//! ```
//! Prefix and ids have `%XX` for spaces, control characters and `%`. The check is CRC-32C, in hex, of the line up to the space
//! before it. Values that are encrypted stay so.

mod format;
mod restore;
mod take;

use std::io;

use thiserror::Error;

use crate::error::CallError;

/// What went into a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Sessions in it. One may be in it twice if Redis grew its table meanwhile, which a restore does not mind.
    pub sessions: u64,
    /// Sessions that are damaged, or of a later form, and not in it.
    pub damaged: u64,
    /// Keys behind the prefix that are none of sessions, such as counters of a cache. They are not in it.
    pub foreign: u64,
}

/// Why there is no backup. What was written of it has no end, and no restore takes it for whole.
#[derive(Debug, Error)]
pub enum BackupError {
    /// Redis cannot be asked.
    #[error("redis cannot be asked: {0}")]
    Call(#[from] CallError),
    /// Another Redis answered in the middle, or it lost its data, so that nobody can say what is missing.
    #[error("redis was restarted, replaced or flushed meanwhile, so the backup is not whole: begin again")]
    OtherRedis,
    /// It cannot be written.
    #[error("the backup cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// What a restore did with the sessions of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Redis lacked them, or something of them, and has it now.
    pub written: u64,
    /// Redis has the same, or newer.
    pub known: u64,
    /// They were destroyed since, and stay so.
    pub destroyed: u64,
    /// Their time is over.
    pub expired: u64,
    /// Their places are taken by what is none of this version's sessions, such as a counter of a cache or a session of a later
    /// form. That stays, and they are not restored.
    pub foreign: u64,
    /// Lines that are damaged or missing. The sessions in them are not restored.
    pub damaged: u64,
    /// The numbers of the first damaged lines, a hundred at most.
    pub damaged_lines: Vec<u64>,
}

/// Why a restore ended before the backup did. What was restored by then stays; it can be begun again.
#[derive(Debug, Error)]
#[error("line {line}: {why}")]
pub struct RestoreError {
    /// The line at which it ended, from 1.
    pub line: u64,
    /// Why.
    #[source]
    pub why: RestoreProblem,
    /// What was restored by then.
    pub so_far: Restored,
}

/// Why a restore cannot go on.
#[derive(Debug, Error)]
pub enum RestoreProblem {
    /// The file does not begin as a backup does, or its first line is damaged.
    #[error("this is no backup of sessions, or its first line is damaged")]
    NoBackup,
    /// It is of a later form.
    #[error("a newer version of this client made this backup (form {0}), so use that one")]
    Newer(String),
    /// It is of another prefix than the client's.
    #[error(
        "this is a backup of the prefix {of:?}, and this client has the prefix {here:?}: use one with the other"
    )]
    OtherPrefix {
        /// The backup's.
        of: String,
        /// The client's.
        here: String,
    },
    /// It ends without its last line. All that is there was restored.
    #[error("the backup ends too early: a part is missing")]
    CutOff,
    /// Something comes after its last line.
    #[error("something follows the end of the backup")]
    AfterEnd,
    /// A line has no end.
    #[error("a line is longer than any session is")]
    TooLong,
    /// It cannot be read.
    #[error("the backup cannot be read: {0}")]
    Read(io::Error),
    /// Redis did not take a session.
    #[error("redis did not take the session: {0}")]
    Call(CallError),
}

/// Sessions on their way at once.
const AT_ONCE: usize = 16;

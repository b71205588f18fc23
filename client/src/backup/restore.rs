//! Bringing a backup back.

use std::sync::Arc;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::task::JoinSet;

use super::format::{self, Line};
use super::take::{at_once, patiently};
use super::{RestoreError, RestoreProblem, Restored};
use crate::client::SessionClient;
use crate::core::encoding::Damage;
use crate::core::push::{Fate, Push};
use crate::core::record::Record;
use crate::error::CallError;
use crate::script::{Merged, Stored};
use crate::store::Store;

impl SessionClient {
    /// Brings the sessions of a [backup](Self::backup) of this client's prefix back to Redis, by the merge that a resync makes: of
    /// each fact the newer one stands, what was destroyed or has expired since stays gone, and each session lives until it would
    /// have anyway. Doing it twice, or while others write, does no harm. A damaged line is counted and left out.
    ///
    /// A Redis that has lost its data does not know what was destroyed after the backup, except for what instances bring to it.
    ///
    /// # Errors
    ///
    /// When it is no backup, not of this prefix, or not whole, or when it cannot be read, or Redis does not take it. What was
    /// restored until then stays, and the error says how much that is.
    pub async fn restore(&self, from: impl AsyncRead + Unpin) -> Result<Restored, RestoreError> {
        let mut restoring = Restoring::of(self.store());
        let ended = restoring.read(&mut BufReader::new(from), &self.settings().key_prefix).await;
        let settled = restoring.settle(0, 0).await;
        let done = restoring.done;
        // What Redis did not take comes first: the other reasons say that all before them was restored.
        match settled.and(ended) {
            Ok(()) => Ok(done),
            Err(Ended { line, why }) => Err(RestoreError { line, why, so_far: done }),
        }
    }
}

/// A restore in the making.
struct Restoring {
    store: Arc<Store>,
    line: u64,
    /// Sessions of whole lines.
    sessions: u64,
    bringing: JoinSet<Brought>,
    /// Bytes of those.
    bytes: usize,
    done: Restored,
}

struct Brought {
    line: u64,
    bytes: usize,
    became: Result<Became, CallError>,
}

/// What became of a session.
enum Became {
    Written,
    Known,
    Destroyed,
    Expired,
    /// What is in its place is not ours to replace.
    Foreign,
}

struct Ended {
    line: u64,
    why: RestoreProblem,
}

impl Restoring {
    fn of(store: &Arc<Store>) -> Self {
        let (store, bringing, done) = (Arc::clone(store), JoinSet::new(), Restored::default());
        Self { store, line: 0, sessions: 0, bringing, bytes: 0, done }
    }

    /// Reads the lines to their end, and brings what they hold.
    async fn read(&mut self, from: &mut (impl AsyncBufRead + Unpin), here: &str) -> Result<(), Ended> {
        let mut line = Vec::new();
        self.next(from, &mut line, HEAD_MAX).await?;
        let of = format::read_head(&line).map_err(|why| self.ended(why))?;
        if of != here {
            return Err(self.ended(RestoreProblem::OtherPrefix { of, here: here.to_owned() }));
        }
        loop {
            self.next(from, &mut line, LINE_MAX).await?;
            match format::read(here, &line) {
                _ if line.is_empty() => return Err(self.ended(RestoreProblem::CutOff)),
                Some(Line::Session { id, record }) => {
                    self.sessions += 1;
                    self.settle(at_once(&self.store) - 1, BYTES_AT_ONCE).await?;
                    self.bring(id, record);
                }
                Some(Line::End { sessions }) => {
                    let missing = sessions.saturating_sub(self.sessions);
                    self.done.damaged = self.done.damaged.max(missing);
                    break;
                }
                None => {
                    self.done.damaged += 1;
                    if self.done.damaged_lines.len() < LINES_NAMED {
                        self.done.damaged_lines.push(self.line);
                    }
                }
            }
        }
        self.next(from, &mut line, HEAD_MAX).await?;
        if line.is_empty() { Ok(()) } else { Err(self.ended(RestoreProblem::AfterEnd)) }
    }

    /// The next line; empty at the end.
    async fn next(
        &mut self,
        from: &mut (impl AsyncBufRead + Unpin),
        line: &mut Vec<u8>,
        max: u64,
    ) -> Result<(), Ended> {
        self.line += 1;
        line.clear();
        let read = from.take(max).read_until(b'\n', line).await;
        let length = read.map_err(|error| self.ended(RestoreProblem::Read(error)))?;
        if length as u64 == max && line.last() != Some(&b'\n') {
            let first = self.line == 1;
            return Err(self.ended(if first { RestoreProblem::NoBackup } else { RestoreProblem::TooLong }));
        }
        Ok(())
    }

    fn bring(&mut self, id: String, record: Record) {
        let (store, line, bytes) = (Arc::clone(&self.store), self.line, record.value.payload.len());
        self.bytes += bytes;
        self.bringing.spawn(async move {
            let became = patiently(|| bring(&store, &id, &record)).await;
            Brought { line, bytes, became }
        });
    }

    /// Waits until no more than so many sessions, and no more than one or so many bytes, are on their way.
    async fn settle(&mut self, sessions: usize, bytes: usize) -> Result<(), Ended> {
        let mut first = Ok(());
        while self.bringing.len() > sessions || (self.bytes > bytes && !self.bringing.is_empty()) {
            let Some(joined) = self.bringing.join_next().await else { break };
            // A task ends early only with its runtime.
            let Brought { line, bytes, became } =
                joined.unwrap_or(Brought { line: self.line, bytes: 0, became: Err(CallError::Closed) });
            self.bytes = self.bytes.saturating_sub(bytes);
            match became {
                Ok(Became::Written) => self.done.written += 1,
                Ok(Became::Known) => self.done.known += 1,
                Ok(Became::Destroyed) => self.done.destroyed += 1,
                Ok(Became::Expired) => self.done.expired += 1,
                Ok(Became::Foreign) => self.done.foreign += 1,
                Err(error) => first = first.and(Err(Ended { line, why: RestoreProblem::Call(error) })),
            }
        }
        first
    }

    fn ended(&self, why: RestoreProblem) -> Ended {
        Ended { line: self.line, why }
    }
}

/// Brings one session, past what is damaged there.
async fn bring(store: &Store, id: &str, record: &Record) -> Result<Became, CallError> {
    let mut push = Push::question(id);
    (push.latest_expiry, push.record) = (record.expiry.unix_ms, record.clone());
    // The merge says whether it wrote anything, not whether the session lacked it: that might have been its tombstone.
    match store.script.read(id, store.deadline()).await? {
        Stored::Record(stored) if !record.ahead_of(&stored) => return Ok(Became::Known),
        Stored::Record(_) | Stored::Nothing => {}
        // A counter, another program's, or what a newer client wrote.
        Stored::Damaged(_, Damage::Foreign | Damage::Newer) => return Ok(Became::Foreign),
        Stored::Damaged(found, Damage::Changed) => {
            store.tell_damaged();
            push.damaged = found;
        }
    }
    for _ in 0..ROUNDS {
        match store.script.merge(&push, store.deadline()).await? {
            Merged::Damaged(found) => {
                store.tell_damaged();
                push.damaged = found;
            }
            Merged::Answer { answer, found_damage, .. } => {
                if found_damage {
                    store.tell_damaged();
                }
                return match answer.fate {
                    Fate::Alive => Ok(Became::Written),
                    Fate::Destroyed => Ok(Became::Destroyed),
                    Fate::Expired => Ok(Became::Expired),
                    Fate::Absent | Fate::Damaged => Err(store.script.gateway.unexpected("EVALSHA")),
                };
            }
        }
    }
    Err(CallError::Broken("what redis holds is damaged again and again".to_owned()))
}

/// How often a session is brought again because Redis holds something damaged.
const ROUNDS: u32 = 5;
/// The longest first line: room for any prefix.
const HEAD_MAX: u64 = 1 << 20;
/// The longest line: room for the largest value in base64.
const LINE_MAX: u64 = 704 << 20;
const BYTES_AT_ONCE: usize = 64 << 20;
const LINES_NAMED: usize = 100;

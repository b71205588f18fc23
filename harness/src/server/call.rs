//! One command being run: its arguments, the database, and the errors that all commands share.

use std::borrow::Cow;

use super::db::Db;
use super::number::{parse_float, parse_int};
use super::reply::Reply;
use super::session::Session;
use super::state::State;
use super::value::{Kind, Value};

/// Why a command is refused: the text of its error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) Cow<'static, [u8]>);

impl From<&'static str> for Refusal {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Refusal {
    fn from(text: Vec<u8>) -> Self {
        Self(Cow::Owned(text))
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal.0 {
            Cow::Borrowed(text) => Self::Error(Cow::Borrowed(text)),
            Cow::Owned(text) => Self::error(text),
        }
    }
}

/// What came of a command.
pub(crate) type Outcome = Result<Reply, Refusal>;

pub(crate) const SYNTAX: &str = "ERR syntax error";
pub(crate) const NOT_INT: &str = "ERR value is not an integer or out of range";
pub(crate) const NOT_FLOAT: &str = "ERR value is not a valid float";
pub(crate) const OVERFLOW: &str = "ERR increment or decrement would overflow";
pub(crate) const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
pub(crate) const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
pub(crate) const NO_KEY: &str = "ERR no such key";
pub(crate) const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
/// The longest string that commands may build.
pub(crate) const TEXT_MAX: usize = 512 << 20;

/// A command being run.
pub(crate) struct Call<'a> {
    /// The time, in microseconds since 1970.
    pub(crate) now: u64,
    pub(crate) state: &'a mut State,
    pub(crate) session: &'a mut Session,
    /// The command's name and its arguments.
    pub(crate) argv: &'a [&'a [u8]],
}

impl<'a> Call<'a> {
    /// The time in milliseconds since 1970, as expiries are counted.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now / 1000
    }

    pub(crate) fn db(&mut self) -> &mut Db {
        &mut self.state.dbs[self.session.db]
    }

    /// The arguments from this position on.
    pub(crate) fn rest(&self, from: usize) -> &'a [&'a [u8]] {
        self.argv.get(from..).unwrap_or_default()
    }

    /// Whether the argument is this word, in letters of any case.
    pub(crate) fn is(&self, at: usize, word: &str) -> bool {
        self.argv.get(at).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The argument as a word in capital letters.
    pub(crate) fn word(&self, at: usize) -> String {
        let argument = self.argv.get(at).copied().unwrap_or_default();
        String::from_utf8_lossy(argument).to_ascii_uppercase()
    }

    pub(crate) fn int(&self, at: usize) -> Result<i64, Refusal> {
        self.argv.get(at).and_then(|text| parse_int(text)).ok_or_else(|| NOT_INT.into())
    }

    pub(crate) fn float(&self, at: usize) -> Result<f64, Refusal> {
        self.argv.get(at).and_then(|text| parse_float(text)).ok_or_else(|| NOT_FLOAT.into())
    }

    /// A count that must not be negative.
    pub(crate) fn positive(&self, at: usize) -> Result<usize, Refusal> {
        usize::try_from(self.argv.get(at).and_then(|text| parse_int(text)).ok_or(NOT_POSITIVE)?)
            .map_err(|_| NOT_POSITIVE.into())
    }

    /// The value of a type that a key holds.
    pub(crate) fn read<K: Kind>(&mut self, key: &[u8]) -> Result<Option<&K>, Refusal> {
        Ok(self.write::<K>(key)?.map(|value| &*value))
    }

    /// The same, to be changed. Call [`modified`](Self::modified) afterwards.
    pub(crate) fn write<K: Kind>(&mut self, key: &[u8]) -> Result<Option<&mut K>, Refusal> {
        let now = self.now;
        let db = &mut self.state.dbs[self.session.db];
        match if self.session.no_touch { db.peek(key) } else { db.value(key, now) } {
            Some(value) => K::of_mut(value).map(Some).ok_or_else(|| WRONG_TYPE.into()),
            None => Ok(None),
        }
    }

    /// The same; an empty value is put there if there is none.
    pub(crate) fn write_or_new<K: Kind>(&mut self, key: &[u8]) -> Result<&mut K, Refusal> {
        let now = self.now;
        let db = self.db();
        if db.entry(key).is_none() {
            db.set(key, K::default().into_value(), None, now);
        }
        self.write(key)?.ok_or_else(|| WRONG_TYPE.into())
    }

    /// Puts a value under a key that stays until it is removed, or until `expires`.
    pub(crate) fn set(&mut self, key: &[u8], value: Value, expires: Option<u64>) {
        let now = self.now;
        self.db().set(key, value, expires, now);
    }

    /// Says that a value was changed in place.
    pub(crate) fn modified(&mut self, key: &[u8]) {
        self.db().modified(key);
    }
}

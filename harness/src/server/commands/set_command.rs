//! `SET` with its options, its older forms, and `GETEX`.

use super::super::call::{Call, NOT_INT, Outcome, Refusal, SYNTAX, WRONG_TYPE};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::parse_int;
use super::super::reply::Reply;
use super::super::value::Value;

const WRITE: u32 = flag::WRITE | flag::STRING | flag::DENY_OOM;

pub(crate) const COMMANDS: &[Command] = &[
    row("getex", -2, flag::WRITE | flag::STRING | flag::FAST, Keys::ONE, getex),
    row("psetex", 4, WRITE, Keys::ONE, |call| setex(call, 1)),
    row("set", -3, WRITE, Keys::ONE, set),
    row("setex", 4, WRITE, Keys::ONE, |call| setex(call, 1000)),
    row("setnx", 3, WRITE | flag::FAST, Keys::ONE, setnx),
];

/// What `SET` or `GETEX` is to do beside setting or getting.
#[derive(Default)]
struct Options {
    /// Only if the key exists, or only if not.
    if_exists: Option<bool>,
    get: bool,
    keep_ttl: bool,
    persist: bool,
    expires: Option<u64>,
}

fn set(call: &mut Call<'_>) -> Outcome {
    let (key, value) = (call.argv[1], call.argv[2]);
    let options = options(call, 3, true)?;
    let exists = call.db().entry(key).is_some();
    let old = if options.get {
        let old = call.read::<Vec<u8>>(key)?;
        Some(Reply::maybe(old.map(|old| &old[..])))
    } else {
        None
    };
    if options.if_exists.is_some_and(|wanted| wanted != exists) {
        return Ok(old.unwrap_or(Reply::Null));
    }
    let kept = call.db().entry(key).and_then(|entry| entry.expires()).filter(|_| options.keep_ttl);
    call.set(key, Value::Text(value.to_vec()), options.expires.or(kept));
    Ok(old.unwrap_or(Reply::OK))
}

fn getex(call: &mut Call<'_>) -> Outcome {
    let key = call.argv[1];
    let options = options(call, 2, false)?;
    let value = Reply::maybe(call.read::<Vec<u8>>(key)?.map(|value| &value[..]));
    if value == Reply::Null {
        return Ok(value);
    }
    let now_ms = call.now_ms();
    match options.expires {
        Some(when) if when <= now_ms => {
            call.db().remove(key);
        }
        Some(when) => {
            call.db().expire(key, Some(when));
            call.db().changed(key);
        }
        None if options.persist => {
            call.db().expire(key, None);
            call.db().changed(key);
        }
        None => {}
    }
    Ok(value)
}

fn setex(call: &mut Call<'_>, unit_ms: i64) -> Outcome {
    let expires = expiry(call, 2, unit_ms, false)?;
    call.set(call.argv[1], Value::Text(call.argv[3].to_vec()), Some(expires));
    Ok(Reply::OK)
}

fn setnx(call: &mut Call<'_>) -> Outcome {
    let key = call.argv[1];
    let free = call.db().entry(key).is_none();
    if free {
        call.set(key, Value::Text(call.argv[2].to_vec()), None);
    }
    Ok(Reply::flag(free))
}

fn options(call: &Call<'_>, from: usize, of_set: bool) -> Result<Options, Refusal> {
    let mut options = Options::default();
    let mut at = from;
    // The value of the expiry is looked at only once all words are understood.
    let mut expiry_at: Option<(usize, i64, bool)> = None;
    while at < call.argv.len() {
        let timed = expiry_at.is_some() || options.keep_ttl || options.persist;
        let has_value = at + 1 < call.argv.len();
        match (&call.word(at)[..], of_set) {
            ("NX", true) if options.if_exists != Some(true) => options.if_exists = Some(false),
            ("XX", true) if options.if_exists != Some(false) => options.if_exists = Some(true),
            ("GET", true) => options.get = true,
            ("KEEPTTL", true) if expiry_at.is_none() => options.keep_ttl = true,
            ("PERSIST", false) if expiry_at.is_none() => options.persist = true,
            (word @ ("EX" | "PX" | "EXAT" | "PXAT"), _) if !timed && has_value => {
                let unit_ms = if word.starts_with('E') { 1000 } else { 1 };
                at += 1;
                expiry_at = Some((at, unit_ms, word.ends_with("AT")));
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    if let Some((at, unit_ms, absolute)) = expiry_at {
        options.expires = Some(expiry(call, at, unit_ms, absolute)?);
    }
    Ok(options)
}

/// When a key expires that is given a time to live, or an end.
fn expiry(call: &Call<'_>, at: usize, unit_ms: i64, absolute: bool) -> Result<u64, Refusal> {
    let value = parse_int(call.argv[at]).ok_or(NOT_INT)?;
    let base = if absolute { 0 } else { i64::try_from(call.now_ms()).unwrap_or(0) };
    let expires = value.checked_mul(unit_ms).and_then(|value| value.checked_add(base));
    let expires = expires.filter(|_| value > 0).and_then(|expires| u64::try_from(expires).ok());
    expires.ok_or_else(|| {
        let command = call.argv[0].to_ascii_lowercase();
        format!("ERR invalid expire time in '{}' command", String::from_utf8_lossy(&command)).into()
    })
}

/// The text under a key, if that is what it holds.
pub(super) fn text_of(value: &Value) -> Result<&Vec<u8>, Refusal> {
    if let Value::Text(text) = value { Ok(text) } else { Err(WRONG_TYPE.into()) }
}

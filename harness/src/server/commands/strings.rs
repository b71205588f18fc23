//! Strings: reading, and changing in place.

use super::super::call::{Call, NOT_FLOAT, NOT_INT, OVERFLOW, Outcome, Refusal, TEXT_MAX, TOO_LONG};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::{add_decimals, int_text, parse_float, parse_int};
use super::super::reply::Reply;
use super::super::value::{Kind as _, Value};

const READ: u32 = flag::READ | flag::STRING;
const WRITE: u32 = flag::WRITE | flag::STRING | flag::DENY_OOM;
const FAST: u32 = flag::FAST;

pub(crate) const COMMANDS: &[Command] = &[
    row("append", 3, WRITE | FAST, Keys::ONE, append),
    row("decr", 2, WRITE | FAST, Keys::ONE, |call| add(call, -1)),
    row("decrby", 3, WRITE | FAST, Keys::ONE, decrby),
    row("get", 2, READ | FAST, Keys::ONE, get),
    row("getdel", 2, flag::WRITE | flag::STRING | FAST, Keys::ONE, getdel),
    row("getrange", 4, READ, Keys::ONE, getrange),
    row("getset", 3, WRITE | FAST, Keys::ONE, getset),
    row("incr", 2, WRITE | FAST, Keys::ONE, |call| add(call, 1)),
    row("incrby", 3, WRITE | FAST, Keys::ONE, incrby),
    row("incrbyfloat", 3, WRITE | FAST, Keys::ONE, incrbyfloat),
    row("mget", -2, READ | FAST, Keys::ALL, mget),
    row("mset", -3, WRITE, Keys::PAIRS, mset),
    row("msetnx", -3, WRITE, Keys::PAIRS, msetnx),
    row("setrange", 4, WRITE, Keys::ONE, setrange),
    row("strlen", 2, READ | FAST, Keys::ONE, strlen),
    row("substr", 4, READ, Keys::ONE, getrange),
];

fn get(call: &mut Call<'_>) -> Outcome {
    let found = call.read::<Vec<u8>>(call.argv[1])?;
    let reply = Reply::maybe(found.map(|text| &text[..]));
    let counter =
        if reply == Reply::Null { &mut call.state.stats.misses } else { &mut call.state.stats.hits };
    *counter += 1;
    Ok(reply)
}

fn getdel(call: &mut Call<'_>) -> Outcome {
    let reply = get(call)?;
    let key = call.argv[1];
    call.db().remove(key);
    Ok(reply)
}

fn getset(call: &mut Call<'_>) -> Outcome {
    let reply = get(call)?;
    call.set(call.argv[1], Value::Text(call.argv[2].to_vec()), None);
    Ok(reply)
}

fn mget(call: &mut Call<'_>) -> Outcome {
    let keys = call.rest(1);
    let one = |key: &&[u8]| {
        // A key of another type reads as none.
        let found = call.read::<Vec<u8>>(key).ok().flatten();
        Reply::maybe(found.map(|text| &text[..]))
    };
    Ok(Reply::Array(keys.iter().map(one).collect()))
}

fn mset(call: &mut Call<'_>) -> Outcome {
    for pair in pairs(call)? {
        call.set(pair[0], Value::Text(pair[1].to_vec()), None);
    }
    Ok(Reply::OK)
}

fn msetnx(call: &mut Call<'_>) -> Outcome {
    let pairs = pairs(call)?;
    if pairs.clone().any(|pair| call.db().entry(pair[0]).is_some()) {
        return Ok(Reply::Int(0));
    }
    for pair in pairs {
        call.set(pair[0], Value::Text(pair[1].to_vec()), None);
    }
    Ok(Reply::Int(1))
}

fn pairs<'a>(call: &Call<'a>) -> Result<std::slice::ChunksExact<'a, &'a [u8]>, Refusal> {
    let arguments = call.rest(1);
    if !arguments.len().is_multiple_of(2) {
        let name = String::from_utf8_lossy(call.argv[0]).to_ascii_lowercase();
        return Err(format!("ERR wrong number of arguments for '{name}' command").into());
    }
    Ok(arguments.chunks_exact(2))
}

fn append(call: &mut Call<'_>) -> Outcome {
    let (key, more) = (call.argv[1], call.argv[2]);
    let text = call.write_or_new::<Vec<u8>>(key)?;
    if text.len() + more.len() > TEXT_MAX {
        return Err(TOO_LONG.into());
    }
    text.extend_from_slice(more);
    let length = text.len();
    call.modified(key);
    Ok(Reply::count(length))
}

fn strlen(call: &mut Call<'_>) -> Outcome {
    let found = call.read::<Vec<u8>>(call.argv[1])?;
    Ok(Reply::count(found.map_or(0, Vec::len)))
}

fn getrange(call: &mut Call<'_>) -> Outcome {
    let (start, end) = (call.int(2)?, call.int(3)?);
    let text = call.read::<Vec<u8>>(call.argv[1])?.map_or(&[][..], |text| text);
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if start < 0 && end < 0 && start > end {
        return Ok(Reply::bulk(b""));
    }
    let from_end = |at: i64| if at < 0 { (length.saturating_add(at)).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(length - 1));
    if start > end || length == 0 {
        return Ok(Reply::bulk(b""));
    }
    let (start, end) = (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
    Ok(Reply::bulk(&text[start..=end]))
}

fn setrange(call: &mut Call<'_>) -> Outcome {
    let (key, part) = (call.argv[1], call.argv[3]);
    let offset = usize::try_from(call.int(2)?).map_err(|_| Refusal::from("ERR offset is out of range"))?;
    let old = call.read::<Vec<u8>>(key)?.map_or(0, Vec::len);
    if part.is_empty() {
        return Ok(Reply::count(old));
    }
    let end = offset.checked_add(part.len()).filter(|end| *end <= TEXT_MAX).ok_or(TOO_LONG)?;
    let text = call.write_or_new::<Vec<u8>>(key)?;
    if text.len() < end {
        text.resize(end, 0);
    }
    text[offset..end].copy_from_slice(part);
    let length = text.len();
    call.modified(key);
    Ok(Reply::count(length))
}

fn incrby(call: &mut Call<'_>) -> Outcome {
    let by = call.int(2)?;
    add(call, by)
}

fn decrby(call: &mut Call<'_>) -> Outcome {
    let by = call.int(2)?.checked_neg().ok_or("ERR decrement would overflow")?;
    add(call, by)
}

fn add(call: &mut Call<'_>, by: i64) -> Outcome {
    let key = call.argv[1];
    let old = match call.read::<Vec<u8>>(key)? {
        Some(text) => parse_int(text).ok_or(NOT_INT)?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(OVERFLOW)?;
    replace(call, key, int_text(new));
    Ok(Reply::Int(new))
}

fn incrbyfloat(call: &mut Call<'_>) -> Outcome {
    let (key, by) = (call.argv[1], call.argv[2]);
    let old = call.read::<Vec<u8>>(key)?.map_or(&b"0"[..], |text| text);
    parse_float(old).ok_or(NOT_FLOAT)?;
    parse_float(by).ok_or(NOT_FLOAT)?;
    let new = add_decimals(old, by).ok_or("ERR increment would produce NaN or Infinity")?.into_bytes();
    replace(call, key, new.clone());
    Ok(Reply::Bulk(new))
}

/// Puts another text in place of the old one, whose expiry stays.
fn replace(call: &mut Call<'_>, key: &[u8], text: Vec<u8>) {
    let now = call.now;
    match call.db().value(key, now) {
        Some(value) => {
            *value = text.into_value();
            call.modified(key);
        }
        None => call.set(key, Value::Text(text), None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::call::WRONG_TYPE;
    use super::super::super::testing::Client;

    #[test]
    fn counting_stops_at_what_is_no_number() {
        let mut client = Client::new();
        client.check("INCR n", ":1");
        client.check("DECRBY n 11", ":-10");
        client.check("SET n 9223372036854775807", "+OK");
        client.check("INCR n", "-ERR increment or decrement would overflow");
        client.check("SET n x", "+OK");
        client.check("INCR n", "-ERR value is not an integer or out of range");
        client.check("INCRBYFLOAT f 0.1", "0.1");
        client.check("INCRBYFLOAT f 0.2", "0.3");
    }

    #[test]
    fn parts_of_strings_are_read_and_written() {
        let mut client = Client::new();
        client.check("SETRANGE s 3 abc", ":6");
        client.check("GETRANGE s -3 -1", "abc");
        client.check("GETRANGE s 5 3", "");
        client.check("APPEND s d", ":7");
        client.check("STRLEN s", ":7");
        client.check(
            "SETRANGE s 536870911 ab",
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        );
        client.check("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command");
        client.check("MSETNX a 1 s 2", ":0");
        client.check("MGET a s", "[nil, \0\0\0abcd]");
    }

    #[test]
    fn another_type_is_refused() {
        let mut client = Client::new();
        client.run("SADD s a");
        client.check("GET s", &format!("-{WRONG_TYPE}"));
        client.check("MGET s", "[nil]");
        client.check("GETDEL s", &format!("-{WRONG_TYPE}"));
    }
}

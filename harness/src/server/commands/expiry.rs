//! When keys expire.

use super::super::call::{Call, NOT_INT, Outcome, Refusal};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::parse_int;
use super::super::reply::Reply;

const READ: u32 = flag::READ | flag::KEYSPACE | flag::FAST;
const WRITE: u32 = flag::WRITE | flag::KEYSPACE | flag::FAST;

pub(crate) const COMMANDS: &[Command] = &[
    row("expire", -3, WRITE, Keys::ONE, |call| expire(call, 1000, false)),
    row("expireat", -3, WRITE, Keys::ONE, |call| expire(call, 1000, true)),
    row("expiretime", 2, READ, Keys::ONE, |call| left(call, 1000, true)),
    row("persist", 2, WRITE, Keys::ONE, persist),
    row("pexpire", -3, WRITE, Keys::ONE, |call| expire(call, 1, false)),
    row("pexpireat", -3, WRITE, Keys::ONE, |call| expire(call, 1, true)),
    row("pexpiretime", 2, READ, Keys::ONE, |call| left(call, 1, true)),
    row("pttl", 2, READ, Keys::ONE, |call| left(call, 1, false)),
    row("ttl", 2, READ, Keys::ONE, |call| left(call, 1000, false)),
];

/// The time that is left, or when it is over: -2 without a key, -1 without an expiry.
fn left(call: &mut Call<'_>, unit_ms: u64, absolute: bool) -> Outcome {
    let (key, now_ms) = (call.argv[1], call.now_ms());
    let Some(entry) = call.db().entry(key) else { return Ok(Reply::Int(-2)) };
    let Some(when) = entry.expires() else { return Ok(Reply::Int(-1)) };
    let ms = if absolute { when } else { when.saturating_sub(now_ms) };
    // Seconds are rounded, not cut.
    let value = if unit_ms == 1000 { ms.saturating_add(500) / 1000 } else { ms };
    Ok(Reply::Int(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn persist(call: &mut Call<'_>) -> Outcome {
    let key = call.argv[1];
    let expires = call.db().entry(key).is_some_and(|entry| entry.expires().is_some());
    if expires {
        call.db().expire(key, None);
        call.db().changed(key);
    }
    Ok(Reply::flag(expires))
}

/// The conditions of `EXPIRE`.
#[derive(Default)]
struct Conditions {
    if_none: bool,
    if_some: bool,
    if_later: bool,
    if_sooner: bool,
}

fn conditions(call: &Call<'_>) -> Result<Conditions, Refusal> {
    let mut found = Conditions::default();
    for at in 3..call.argv.len() {
        match &call.word(at)[..] {
            "NX" => found.if_none = true,
            "XX" => found.if_some = true,
            "GT" => found.if_later = true,
            "LT" => found.if_sooner = true,
            _ => {
                let mut text = b"ERR Unsupported option ".to_vec();
                text.extend_from_slice(call.argv[at]);
                return Err(text.into());
            }
        }
    }
    if found.if_none && (found.if_some || found.if_later || found.if_sooner) {
        return Err("ERR NX and XX, GT or LT options at the same time are not compatible".into());
    }
    if found.if_later && found.if_sooner {
        return Err("ERR GT and LT options at the same time are not compatible".into());
    }
    Ok(found)
}

fn expire(call: &mut Call<'_>, unit_ms: i64, absolute: bool) -> Outcome {
    let key = call.argv[1];
    let only = conditions(call)?;
    let value = parse_int(call.argv[2]).ok_or(NOT_INT)?;
    let now_ms = call.now_ms();
    let base = if absolute { 0 } else { i64::try_from(now_ms).unwrap_or(0) };
    let when = value.checked_mul(unit_ms).and_then(|value| value.checked_add(base)).ok_or_else(|| {
        let name = String::from_utf8_lossy(call.argv[0]).to_ascii_lowercase();
        Refusal::from(format!("ERR invalid expire time in '{name}' command"))
    })?;
    let Some(entry) = call.db().entry(key) else { return Ok(Reply::Int(0)) };
    let old = entry.expires().map(|old| i64::try_from(old).unwrap_or(i64::MAX));
    let refused = only.if_none && old.is_some()
        || only.if_some && old.is_none()
        // A key that stays is taken for one that expires never.
        || only.if_later && old.is_none_or(|old| when <= old)
        || only.if_sooner && old.is_some_and(|old| when >= old);
    if refused {
        return Ok(Reply::Int(0));
    }
    match u64::try_from(when) {
        Ok(when) if when > now_ms => {
            call.db().expire(key, Some(when));
            call.db().changed(key);
        }
        // What is over already goes at once.
        _ => {
            call.db().remove(key);
        }
    }
    Ok(Reply::Int(1))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn a_key_lives_as_long_as_it_was_told() {
        let mut client = Client::new();
        client.check("SET k v PX 20", "+OK");
        client.wait_ms(20);
        client.check("PTTL k", ":0");
        client.check("GET k", "v");
        client.wait_ms(1);
        client.check("PTTL k", ":-2");
        client.check("SET k v EX 10", "+OK");
        client.wait_ms(8501);
        client.check("TTL k", ":1");
        client.check("SET k w KEEPTTL", "+OK");
        client.check("PTTL k", ":1499");
        client.check("PERSIST k", ":1");
        client.check("TTL k", ":-1");
    }

    #[test]
    fn conditions_hold_back_an_expiry() {
        let mut client = Client::new();
        client.run("SET k v");
        client.check("EXPIRE k 10 XX", ":0");
        client.check("EXPIRE k 10 GT", ":0");
        client.check("EXPIRE k 10 NX", ":1");
        client.check("EXPIRE k 20 NX", ":0");
        client.check("EXPIRE k 20 LT", ":0");
        client.check("EXPIRE k 20 GT", ":1");
        client.check("TTL k", ":20");
        client.check("EXPIRE k 1 GT LT", "-ERR GT and LT options at the same time are not compatible");
        client.check("EXPIRE k -1", ":1");
        client.check("EXISTS k", ":0");
    }

    #[test]
    fn options_of_set_are_taken_together_or_refused() {
        let mut client = Client::new();
        client.check("SET k 1 XX", "nil");
        client.check("SET k 1 NX GET", "nil");
        client.check("SET k 2 NX GET", "1");
        client.check("SET k 3 GET EX 5", "1");
        client.check("SET k 3 EX 5 PX 5", "-ERR syntax error");
        client.check("SET k 3 NX XX", "-ERR syntax error");
        client.check("SET k 3 EX 0", "-ERR invalid expire time in 'set' command");
        client.check("GETEX k PERSIST", "3");
        client.check("TTL k", ":-1");
        client.check("GETEX k EX 9", "3");
        client.check("TTL k", ":9");
    }
}

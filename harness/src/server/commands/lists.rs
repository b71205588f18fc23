//! Lists.

use std::collections::BTreeSet;

use super::super::call::{Call, NO_KEY, Outcome, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::reply::Reply;
use super::super::value::List;

const READ: u32 = flag::READ | flag::LIST;
const WRITE: u32 = flag::WRITE | flag::LIST;
const GROW: u32 = WRITE | flag::DENY_OOM;
const FAST: u32 = flag::FAST;

pub(crate) const COMMANDS: &[Command] = &[
    row("lindex", 3, READ, Keys::ONE, lindex),
    row("linsert", 5, GROW, Keys::ONE, linsert),
    row("llen", 2, READ | FAST, Keys::ONE, llen),
    row("lmove", 5, GROW, Keys::TWO, lmove),
    row("lpop", -2, WRITE | FAST, Keys::ONE, |call| pop(call, true)),
    row("lpush", -3, GROW | FAST, Keys::ONE, |call| push(call, true, true)),
    row("lpushx", -3, GROW | FAST, Keys::ONE, |call| push(call, true, false)),
    row("lrange", 4, READ, Keys::ONE, lrange),
    row("lrem", 4, WRITE, Keys::ONE, lrem),
    row("lset", 4, GROW, Keys::ONE, lset),
    row("ltrim", 4, WRITE, Keys::ONE, ltrim),
    row("rpop", -2, WRITE | FAST, Keys::ONE, |call| pop(call, false)),
    row("rpoplpush", 3, GROW, Keys::TWO, |call| transfer(call, false, true)),
    row("rpush", -3, GROW | FAST, Keys::ONE, |call| push(call, false, true)),
    row("rpushx", -3, GROW | FAST, Keys::ONE, |call| push(call, false, false)),
];

fn push(call: &mut Call<'_>, front: bool, may_create: bool) -> Outcome {
    let (key, items) = (call.argv[1], call.rest(2));
    if call.read::<List>(key)?.is_none() && !may_create {
        return Ok(Reply::Int(0));
    }
    let list = call.write_or_new::<List>(key)?;
    items.iter().for_each(|item| list.push(item, front));
    let length = list.items().len();
    call.modified(key);
    Ok(Reply::count(length))
}

fn pop(call: &mut Call<'_>, front: bool) -> Outcome {
    let key = call.argv[1];
    let count = match call.rest(2) {
        [] => None,
        [_] => Some(call.positive(2)?),
        _ => {
            let name = String::from_utf8_lossy(call.argv[0]).to_ascii_lowercase();
            return Err(format!("ERR wrong number of arguments for '{name}' command").into());
        }
    };
    let Some(list) = call.write::<List>(key)? else {
        return Ok(if count.is_some() { Reply::NullArray } else { Reply::Null });
    };
    let most = count.unwrap_or(1).min(list.items().len());
    let popped: Vec<Reply> = (0..most).filter_map(|_| list.pop(front)).map(Reply::Bulk).collect();
    if most > 0 {
        call.modified(key);
    }
    Ok(match count {
        Some(_) => Reply::Array(popped),
        None => popped.into_iter().next().unwrap_or(Reply::Null),
    })
}

fn llen(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::count(call.read::<List>(call.argv[1])?.map_or(0, |list| list.items().len())))
}

/// A place counted from the end if it is negative.
fn place(at: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if at < 0 { at.checked_add(length)? } else { at };
    usize::try_from(at).ok().filter(|_| at < length)
}

/// The part of a list between two places, both counted in; `None` if it is empty.
pub(super) fn part(start: i64, end: i64, length: usize) -> Option<(usize, usize)> {
    let count = i64::try_from(length).ok()?;
    let from_end = |at: i64| if at < 0 { at.saturating_add(count) } else { at };
    let (start, end) = (from_end(start).max(0), from_end(end).min(count - 1));
    if start > end { None } else { Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?)) }
}

fn lindex(call: &mut Call<'_>) -> Outcome {
    let (key, at) = (call.argv[1], call.int(2));
    let Some(list) = call.read::<List>(key)? else { return Ok(Reply::Null) };
    let found = place(at?, list.items().len()).and_then(|at| list.items().get(at));
    Ok(Reply::maybe(found.map(|item| &item[..])))
}

fn lrange(call: &mut Call<'_>) -> Outcome {
    let (key, start, end) = (call.argv[1], call.int(2)?, call.int(3)?);
    let Some(list) = call.read::<List>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let part = part(start, end, list.items().len());
    Ok(Reply::bulks(part.into_iter().flat_map(|(start, end)| list.items().range(start..=end))))
}

fn lset(call: &mut Call<'_>) -> Outcome {
    let (key, at, item) = (call.argv[1], call.int(2), call.argv[3]);
    let Some(list) = call.write::<List>(key)? else { return Err(NO_KEY.into()) };
    let at = place(at?, list.items().len()).ok_or("ERR index out of range")?;
    list.edit(|items| items[at] = item.to_vec());
    call.modified(key);
    Ok(Reply::OK)
}

fn ltrim(call: &mut Call<'_>) -> Outcome {
    let (key, start, end) = (call.argv[1], call.int(2)?, call.int(3)?);
    let Some(list) = call.write::<List>(key)? else { return Ok(Reply::OK) };
    list.edit(|items| match part(start, end, items.len()) {
        Some((start, end)) => {
            items.truncate(end + 1);
            items.drain(..start);
        }
        None => items.clear(),
    });
    call.modified(key);
    Ok(Reply::OK)
}

fn lrem(call: &mut Call<'_>) -> Outcome {
    let (key, count, item) = (call.argv[1], call.int(2)?, call.argv[3]);
    let Some(list) = call.write::<List>(key)? else { return Ok(Reply::Int(0)) };
    let most =
        if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let gone = list.edit(|items| {
        let places = (0..items.len()).filter(|at| items[*at] == item);
        let places: BTreeSet<usize> =
            if count < 0 { places.rev().take(most).collect() } else { places.take(most).collect() };
        let mut at = 0;
        items.retain(|_| {
            at += 1;
            !places.contains(&(at - 1))
        });
        places.len()
    });
    if gone > 0 {
        call.modified(key);
    }
    Ok(Reply::count(gone))
}

fn linsert(call: &mut Call<'_>) -> Outcome {
    let (key, pivot, item) = (call.argv[1], call.argv[3], call.argv[4]);
    let after = match &call.word(2)[..] {
        "BEFORE" => 0,
        "AFTER" => 1,
        _ => return Err(SYNTAX.into()),
    };
    let Some(list) = call.write::<List>(key)? else { return Ok(Reply::Int(0)) };
    let Some(at) = list.items().iter().position(|known| known == pivot) else { return Ok(Reply::Int(-1)) };
    let length = list.edit(|items| {
        items.insert(at + after, item.to_vec());
        items.len()
    });
    call.modified(key);
    Ok(Reply::count(length))
}

fn lmove(call: &mut Call<'_>) -> Outcome {
    let side = |word: &str| match word {
        "LEFT" => Ok(true),
        "RIGHT" => Ok(false),
        _ => Err(SYNTAX),
    };
    let (from, to) = (side(&call.word(3))?, side(&call.word(4))?);
    transfer(call, from, to)
}

fn transfer(call: &mut Call<'_>, from_front: bool, to_front: bool) -> Outcome {
    let (from, to) = (call.argv[1], call.argv[2]);
    if call.read::<List>(from)?.is_none() {
        return Ok(Reply::Null);
    }
    call.read::<List>(to)?;
    let Some(item) = call.write::<List>(from)?.and_then(|list| list.pop(from_front)) else {
        return Ok(Reply::Null);
    };
    if from != to {
        call.modified(from);
    }
    call.write_or_new::<List>(to)?.push(&item, to_front);
    call.modified(to);
    Ok(Reply::Bulk(item))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn items_stand_in_their_order() {
        let mut client = Client::new();
        client.check("RPUSH l a b c", ":3");
        client.check("LPUSH l z y", ":5");
        client.check("LRANGE l 0 -1", "[y, z, a, b, c]");
        client.check("LINDEX l -1", "c");
        client.check("LSET l 9 x", "-ERR index out of range");
        client.check("LINSERT l BEFORE a x", ":6");
        client.check("LREM l -1 x", ":1");
        client.check("LTRIM l 1 -2", "+OK");
        client.check("LRANGE l 0 -1", "[z, a, b]");
        client.check("LMOVE l l LEFT RIGHT", "z");
        client.check("RPOP l 5", "[z, b, a]");
        client.check("LPOP l", "nil");
        client.check("EXISTS l", ":0");
        client.check("LPUSHX l a", ":0");
    }
}

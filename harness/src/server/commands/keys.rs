//! Keys whatever they hold, and whole databases.

use squall_client::core::glob;

use super::super::call::{Call, NO_KEY, NOT_INT, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::reply::Reply;
use super::connection::database;

const READ: u32 = flag::READ | flag::KEYSPACE;
const WRITE: u32 = flag::WRITE | flag::KEYSPACE;
const FAST: u32 = flag::FAST;
const DANGEROUS: u32 = flag::DANGEROUS;

pub(crate) const COMMANDS: &[Command] = &[
    row("copy", -3, WRITE | flag::DENY_OOM | flag::ALL_DBS, Keys::TWO, copy),
    row("dbsize", 1, READ | FAST, Keys::None, dbsize),
    row("del", -2, WRITE, Keys::ALL, del),
    row("exists", -2, READ | FAST, Keys::ALL, exists),
    row("flushall", -1, WRITE | DANGEROUS | flag::ALL_DBS, Keys::None, flushall),
    row("flushdb", -1, WRITE | DANGEROUS, Keys::None, flushdb),
    row("keys", 2, READ | DANGEROUS, Keys::None, keys),
    row("move", 3, WRITE | FAST | flag::ALL_DBS, Keys::ONE, move_key),
    row("randomkey", 1, READ, Keys::None, randomkey),
    row("rename", 3, WRITE, Keys::TWO, |call| rename(call, true)),
    row("renamenx", 3, WRITE | FAST, Keys::TWO, |call| rename(call, false)),
    row("swapdb", 3, WRITE | FAST | DANGEROUS | flag::ALL_DBS, Keys::None, swapdb),
    row("touch", -2, READ | FAST, Keys::ALL, touch),
    row("type", 2, READ | FAST, Keys::ONE, type_of),
    row("unlink", -2, WRITE | FAST, Keys::ALL, del),
];

fn del(call: &mut Call<'_>) -> Outcome {
    let gone = call.rest(1).iter().filter(|key| call.db().remove(key).is_some()).count();
    Ok(Reply::count(gone))
}

fn exists(call: &mut Call<'_>) -> Outcome {
    let there = call.rest(1).iter().filter(|key| call.db().entry(key).is_some()).count();
    Ok(Reply::count(there))
}

fn touch(call: &mut Call<'_>) -> Outcome {
    let now = call.now;
    let there = call.rest(1).iter().filter(|key| call.db().value(key, now).is_some()).count();
    Ok(Reply::count(there))
}

fn type_of(call: &mut Call<'_>) -> Outcome {
    let key = call.argv[1];
    let name = call.db().entry(key).map_or("none", |entry| entry.value.type_name());
    Ok(Reply::Status(name.as_bytes().into()))
}

fn dbsize(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::count(call.db().len()))
}

fn keys(call: &mut Call<'_>) -> Outcome {
    let pattern = call.argv[1];
    let found = call.db().iter().map(|(key, _)| key).filter(|key| glob::matches(pattern, key));
    Ok(Reply::bulks(found.collect::<Vec<_>>()))
}

fn randomkey(call: &mut Call<'_>) -> Outcome {
    let db = &call.state.dbs[call.session.db];
    Ok(Reply::maybe(db.random(&mut call.state.random).map(|key| key.bytes())))
}

fn flushall(call: &mut Call<'_>) -> Outcome {
    flush_mode(call)?;
    call.state.dbs.iter_mut().for_each(|db| {
        db.clear();
    });
    Ok(Reply::OK)
}

fn flushdb(call: &mut Call<'_>) -> Outcome {
    flush_mode(call)?;
    call.db().clear();
    Ok(Reply::OK)
}

fn flush_mode(call: &Call<'_>) -> Result<(), Refusal> {
    let fine = match call.argv.len() {
        1 => true,
        2 => call.is(1, "SYNC") || call.is(1, "ASYNC"),
        _ => false,
    };
    if fine { Ok(()) } else { Err(SYNTAX.into()) }
}

fn rename(call: &mut Call<'_>, replace: bool) -> Outcome {
    let (from, to, now) = (call.argv[1], call.argv[2], call.now);
    let db = call.db();
    if db.entry(from).is_none() {
        return Err(NO_KEY.into());
    }
    if !replace && db.entry(to).is_some() {
        return Ok(Reply::Int(0));
    }
    if from != to
        && let Some(entry) = db.remove(from)
    {
        let expires = entry.expires();
        db.set(to, entry.value, expires, now);
    }
    Ok(if replace { Reply::OK } else { Reply::Int(1) })
}

const SAME: &str = "ERR source and destination objects are the same";

fn copy(call: &mut Call<'_>) -> Outcome {
    let (from, to, now) = (call.argv[1], call.argv[2], call.now);
    let (mut into, mut replace, mut at) = (call.session.db, false, 3);
    while at < call.argv.len() {
        if call.is(at, "REPLACE") {
            replace = true;
        } else if call.is(at, "DB") && at + 1 < call.argv.len() {
            at += 1;
            into = database(call, at, NOT_INT)?;
        } else {
            return Err(SYNTAX.into());
        }
        at += 1;
    }
    if from == to && into == call.session.db {
        return Err(SAME.into());
    }
    let Some(entry) = call.db().entry(from).cloned() else { return Ok(Reply::Int(0)) };
    let target = &mut call.state.dbs[into];
    if !replace && target.entry(to).is_some() {
        return Ok(Reply::Int(0));
    }
    let expires = entry.expires();
    target.set(to, entry.value, expires, now);
    Ok(Reply::Int(1))
}

fn move_key(call: &mut Call<'_>) -> Outcome {
    let (key, now) = (call.argv[1], call.now);
    let into = database(call, 2, NOT_INT)?;
    if into == call.session.db {
        return Err(SAME.into());
    }
    if call.db().entry(key).is_none() || call.state.dbs[into].entry(key).is_some() {
        return Ok(Reply::Int(0));
    }
    if let Some(entry) = call.db().remove(key) {
        let expires = entry.expires();
        call.state.dbs[into].set(key, entry.value, expires, now);
    }
    Ok(Reply::Int(1))
}

fn swapdb(call: &mut Call<'_>) -> Outcome {
    // Both are numbers before either is in range.
    call.int(1).map_err(|_| "ERR invalid first DB index")?;
    call.int(2).map_err(|_| "ERR invalid second DB index")?;
    let (first, second) = (database(call, 1, NOT_INT)?, database(call, 2, NOT_INT)?);
    let (low, high) = (first.min(second), first.max(second));
    if low != high {
        let (lower, upper) = call.state.dbs.split_at_mut(high);
        lower[low].swap(&mut upper[0]);
    }
    Ok(Reply::OK)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn keys_move_with_their_expiry() {
        let mut client = Client::new();
        client.run("SET a 1 EX 10");
        client.check("RENAME a b", "+OK");
        client.check("TTL b", ":10");
        client.check("RENAME a c", "-ERR no such key");
        client.check("COPY b b", "-ERR source and destination objects are the same");
        client.check("COPY b b DB 3", ":1");
        client.check("MOVE b 3", ":0");
        client.check("DEL b", ":1");
        client.check("SWAPDB 0 3", "+OK");
        client.check("TTL b", ":10");
        client.check("EXISTS b b nothing", ":2");
        client.check("UNLINK b nothing", ":1");
        client.check("TYPE b", "+none");
    }

    #[test]
    fn what_has_expired_is_not_counted() {
        let mut client = Client::new();
        client.run("SET a 1 PX 5");
        client.run("SET b 1");
        client.check("DBSIZE", ":2");
        client.wait_ms(6);
        client.check("DBSIZE", ":1");
        client.check("KEYS *", "[b]");
        client.check("RANDOMKEY", "b");
        client.check("FLUSHALL now", "-ERR syntax error");
        client.check("FLUSHALL ASYNC", "+OK");
        client.check("RANDOMKEY", "nil");
    }
}

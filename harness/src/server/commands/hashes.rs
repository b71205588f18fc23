//! Hashes.

use super::super::call::{Call, NOT_FLOAT, NOT_INT, OVERFLOW, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::{add_decimals, int_text, parse_float, parse_int};
use super::super::reply::Reply;
use super::super::value::Hash;

const READ: u32 = flag::READ | flag::HASH;
const WRITE: u32 = flag::WRITE | flag::HASH | flag::DENY_OOM;
const FAST: u32 = flag::FAST;

pub(crate) const COMMANDS: &[Command] = &[
    row("hdel", -3, flag::WRITE | flag::HASH | FAST, Keys::ONE, hdel),
    row("hexists", 3, READ | FAST, Keys::ONE, hexists),
    row("hget", 3, READ | FAST, Keys::ONE, hget),
    row("hgetall", 2, READ, Keys::ONE, hgetall),
    row("hincrby", 4, WRITE | FAST, Keys::ONE, hincrby),
    row("hincrbyfloat", 4, WRITE | FAST, Keys::ONE, hincrbyfloat),
    row("hkeys", 2, READ, Keys::ONE, hkeys),
    row("hlen", 2, READ | FAST, Keys::ONE, hlen),
    row("hmget", -3, READ | FAST, Keys::ONE, hmget),
    row("hmset", -4, WRITE | FAST, Keys::ONE, |call| hset(call).map(|_| Reply::OK)),
    row("hrandfield", -2, READ, Keys::ONE, hrandfield),
    row("hset", -4, WRITE | FAST, Keys::ONE, hset),
    row("hsetnx", 4, WRITE | FAST, Keys::ONE, hsetnx),
    row("hstrlen", 3, READ | FAST, Keys::ONE, hstrlen),
    row("hvals", 2, READ, Keys::ONE, hvals),
];

fn field<'a>(call: &'a mut Call<'_>, field: &[u8]) -> Result<Option<&'a Vec<u8>>, Refusal> {
    let key = call.argv[1];
    Ok(call.read::<Hash>(key)?.and_then(|hash| hash.fields().get(field)))
}

fn hget(call: &mut Call<'_>) -> Outcome {
    let name = call.argv[2];
    Ok(Reply::maybe(field(call, name)?.map(|value| &value[..])))
}

fn hexists(call: &mut Call<'_>) -> Outcome {
    let name = call.argv[2];
    Ok(Reply::flag(field(call, name)?.is_some()))
}

fn hstrlen(call: &mut Call<'_>) -> Outcome {
    let name = call.argv[2];
    Ok(Reply::count(field(call, name)?.map_or(0, Vec::len)))
}

fn hmget(call: &mut Call<'_>) -> Outcome {
    let names = call.rest(2);
    let hash = call.read::<Hash>(call.argv[1])?;
    let one =
        |name: &&[u8]| Reply::maybe(hash.and_then(|hash| hash.fields().get(*name)).map(|value| &value[..]));
    Ok(Reply::Array(names.iter().map(one).collect()))
}

fn hlen(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::count(call.read::<Hash>(call.argv[1])?.map_or(0, |hash| hash.fields().len())))
}

fn hgetall(call: &mut Call<'_>) -> Outcome {
    let hash = call.read::<Hash>(call.argv[1])?;
    let pairs = hash.into_iter().flat_map(Hash::fields);
    Ok(Reply::Map(pairs.map(|(name, value)| (Reply::bulk(name), Reply::bulk(value))).collect()))
}

fn hkeys(call: &mut Call<'_>) -> Outcome {
    let hash = call.read::<Hash>(call.argv[1])?;
    Ok(Reply::bulks(hash.into_iter().flat_map(|hash| hash.fields().keys())))
}

fn hvals(call: &mut Call<'_>) -> Outcome {
    let hash = call.read::<Hash>(call.argv[1])?;
    Ok(Reply::bulks(hash.into_iter().flat_map(|hash| hash.fields().values())))
}

fn hset(call: &mut Call<'_>) -> Outcome {
    let (key, pairs) = (call.argv[1], call.rest(2));
    if pairs.len() % 2 != 0 {
        let name = String::from_utf8_lossy(call.argv[0]).to_ascii_lowercase();
        return Err(format!("ERR wrong number of arguments for '{name}' command").into());
    }
    let hash = call.write_or_new::<Hash>(key)?;
    let new = pairs.chunks_exact(2).filter(|pair| hash.insert(pair[0], pair[1])).count();
    call.modified(key);
    Ok(Reply::count(new))
}

fn hsetnx(call: &mut Call<'_>) -> Outcome {
    let (key, name, value) = (call.argv[1], call.argv[2], call.argv[3]);
    if field(call, name)?.is_some() {
        return Ok(Reply::Int(0));
    }
    call.write_or_new::<Hash>(key)?.insert(name, value);
    call.modified(key);
    Ok(Reply::Int(1))
}

fn hdel(call: &mut Call<'_>) -> Outcome {
    let (key, names) = (call.argv[1], call.rest(2));
    let Some(hash) = call.write::<Hash>(key)? else { return Ok(Reply::Int(0)) };
    let gone = names.iter().filter(|name| hash.remove(name)).count();
    if gone > 0 {
        call.modified(key);
    }
    Ok(Reply::count(gone))
}

fn hincrby(call: &mut Call<'_>) -> Outcome {
    let (key, name, by) = (call.argv[1], call.argv[2], call.int(3)?);
    let old = match field(call, name)? {
        Some(text) => parse_int(text).ok_or("ERR hash value is not an integer")?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(OVERFLOW)?;
    call.write_or_new::<Hash>(key)?.insert(name, &int_text(new));
    call.modified(key);
    Ok(Reply::Int(new))
}

fn hincrbyfloat(call: &mut Call<'_>) -> Outcome {
    let (key, name, by) = (call.argv[1], call.argv[2], call.argv[3]);
    parse_float(by).ok_or(NOT_FLOAT)?;
    let old = field(call, name)?.map_or(&b"0"[..], |text| text);
    parse_float(old).ok_or("ERR hash value is not a float")?;
    let new = add_decimals(old, by).ok_or("ERR increment would produce NaN or Infinity")?;
    call.write_or_new::<Hash>(key)?.insert(name, new.as_bytes());
    call.modified(key);
    Ok(Reply::Bulk(new.into_bytes()))
}

fn hrandfield(call: &mut Call<'_>) -> Outcome {
    let with_values = match call.argv.len() {
        2 | 3 => false,
        4 if call.is(3, "WITHVALUES") => true,
        _ => return Err(SYNTAX.into()),
    };
    let count = call.argv.get(2).map(|text| parse_int(text).ok_or(NOT_INT)).transpose()?;
    let resp3 = call.session.resp3;
    let mut random = call.state.random.clone();
    let hash = call.read::<Hash>(call.argv[1])?;
    let pairs: Vec<_> = hash.into_iter().flat_map(Hash::fields).collect();
    let Some(count) = count else {
        let drawn = pairs.get(random.below(pairs.len()));
        let reply = Reply::maybe(drawn.map(|(name, _)| &name[..]));
        call.state.random = random;
        return Ok(reply);
    };
    let mut replies = Vec::new();
    for at in super::sets::draw(&mut random, pairs.len(), count) {
        let (name, value) = pairs[at];
        match (with_values, resp3) {
            (false, _) => replies.push(Reply::bulk(name)),
            (true, false) => replies.extend([Reply::bulk(name), Reply::bulk(value)]),
            (true, true) => replies.push(Reply::bulks([name, value])),
        }
    }
    call.state.random = random;
    Ok(Reply::Array(replies))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn fields_come_and_go() {
        let mut client = Client::new();
        client.check("HSET h a 1 b 2", ":2");
        client.check("HSET h a 1 b", "-ERR wrong number of arguments for 'hset' command");
        client.check("HGETALL h", "{a: 1, b: 2}");
        client.check("HINCRBY h a 5", ":6");
        client.check("HINCRBYFLOAT h b 0.5", "2.5");
        client.check("HINCRBY h b 1", "-ERR hash value is not an integer");
        client.check("HMGET h a c", "[6, nil]");
        client.check("HSETNX h a 1", ":0");
        client.check("HRANDFIELD h 0", "[]");
        client.check("HDEL h a b c", ":2");
        client.check("EXISTS h", ":0");
    }
}

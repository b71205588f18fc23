//! Sets.

use std::collections::BTreeSet;

use super::super::call::{Call, NOT_INT, NOT_POSITIVE, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::parse_int;
use super::super::random::Random;
use super::super::reply::Reply;
use super::super::value::{Kind as _, Set};

const READ: u32 = flag::READ | flag::SET;
const WRITE: u32 = flag::WRITE | flag::SET;
const GROW: u32 = WRITE | flag::DENY_OOM;
const FAST: u32 = flag::FAST;

pub(crate) const COMMANDS: &[Command] = &[
    row("sadd", -3, GROW | FAST, Keys::ONE, sadd),
    row("scard", 2, READ | FAST, Keys::ONE, scard),
    row("sdiff", -2, READ, Keys::ALL, |call| combine(call, 1, difference)),
    row("sdiffstore", -3, GROW, Keys::ALL, |call| store(call, difference)),
    row("sinter", -2, READ, Keys::ALL, |call| combine(call, 1, intersection)),
    row("sintercard", -3, READ, Keys::Counted(1), sintercard),
    row("sinterstore", -3, GROW, Keys::ALL, |call| store(call, intersection)),
    row("sismember", 3, READ | FAST, Keys::ONE, sismember),
    row("smembers", 2, READ, Keys::ONE, |call| combine(call, 1, union)),
    row("smismember", -3, READ | FAST, Keys::ONE, smismember),
    row("smove", 4, WRITE | FAST, Keys::TWO, smove),
    row("spop", -2, WRITE | FAST, Keys::ONE, spop),
    row("srandmember", -2, READ, Keys::ONE, srandmember),
    row("srem", -3, WRITE | FAST, Keys::ONE, srem),
    row("sunion", -2, READ, Keys::ALL, |call| combine(call, 1, union)),
    row("sunionstore", -3, GROW, Keys::ALL, |call| store(call, union)),
];

fn sadd(call: &mut Call<'_>) -> Outcome {
    let (key, members) = (call.argv[1], call.rest(2));
    let set = call.write_or_new::<Set>(key)?;
    let new = members.iter().filter(|member| set.insert(member)).count();
    if new > 0 {
        call.modified(key);
    }
    Ok(Reply::count(new))
}

fn srem(call: &mut Call<'_>) -> Outcome {
    let (key, members) = (call.argv[1], call.rest(2));
    let Some(set) = call.write::<Set>(key)? else { return Ok(Reply::Int(0)) };
    let gone = members.iter().filter(|member| set.remove(member)).count();
    if gone > 0 {
        call.modified(key);
    }
    Ok(Reply::count(gone))
}

fn scard(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::count(call.read::<Set>(call.argv[1])?.map_or(0, |set| set.members().len())))
}

fn sismember(call: &mut Call<'_>) -> Outcome {
    let (key, member) = (call.argv[1], call.argv[2]);
    Ok(Reply::flag(call.read::<Set>(key)?.is_some_and(|set| set.members().contains(member))))
}

fn smismember(call: &mut Call<'_>) -> Outcome {
    let members = call.rest(2);
    let set = call.read::<Set>(call.argv[1])?;
    let is_in = |member: &&[u8]| Reply::flag(set.is_some_and(|set| set.members().contains(*member)));
    Ok(Reply::Array(members.iter().map(is_in).collect()))
}

fn smove(call: &mut Call<'_>) -> Outcome {
    let (from, to, member) = (call.argv[1], call.argv[2], call.argv[3]);
    if call.read::<Set>(from)?.is_none() {
        return Ok(Reply::Int(0));
    }
    call.read::<Set>(to)?;
    let there = call.read::<Set>(from)?.is_some_and(|set| set.members().contains(member));
    if there && from != to {
        if let Some(set) = call.write::<Set>(from)? {
            set.remove(member);
        }
        call.modified(from);
        call.write_or_new::<Set>(to)?.insert(member);
        call.modified(to);
    }
    Ok(Reply::flag(there))
}

type Members = BTreeSet<Vec<u8>>;

fn union(all: &mut Members, more: &Members) {
    all.extend(more.iter().cloned());
}

fn intersection(all: &mut Members, more: &Members) {
    all.retain(|member| more.contains(member));
}

fn difference(all: &mut Members, more: &Members) {
    all.retain(|member| !more.contains(member));
}

/// The sets under the keys from a position on, taken together.
fn combined(
    call: &mut Call<'_>,
    keys: &[&[u8]],
    with: fn(&mut Members, &Members),
) -> Result<Members, Refusal> {
    let mut all: Option<Members> = None;
    let none = Members::new();
    for key in keys {
        let members = call.read::<Set>(key)?.map_or(&none, Set::members);
        match &mut all {
            Some(all) => with(all, members),
            None => all = Some(members.clone()),
        }
    }
    Ok(all.unwrap_or_default())
}

fn combine(call: &mut Call<'_>, from: usize, with: fn(&mut Members, &Members)) -> Outcome {
    let members = combined(call, call.rest(from), with)?;
    Ok(Reply::Set(members.into_iter().map(Reply::Bulk).collect()))
}

fn store(call: &mut Call<'_>, with: fn(&mut Members, &Members)) -> Outcome {
    let key = call.argv[1];
    let members = combined(call, call.rest(2), with)?;
    let count = members.len();
    if count == 0 {
        call.db().remove(key);
    } else {
        call.set(key, members.into_iter().collect::<Set>().into_value(), None);
    }
    Ok(Reply::count(count))
}

fn sintercard(call: &mut Call<'_>) -> Outcome {
    let count = parse_int(call.argv[1]).filter(|count| *count > 0);
    let count = count.ok_or("ERR numkeys should be greater than 0")?;
    let rest = call.rest(2);
    let count = usize::try_from(count).ok().filter(|count| *count <= rest.len());
    let count = count.ok_or("ERR Number of keys can't be greater than number of args")?;
    let (keys, options) = rest.split_at(count);
    let limit = match options {
        [] => 0,
        [word, limit] if word.eq_ignore_ascii_case(b"LIMIT") => {
            let limit = parse_int(limit).and_then(|limit| usize::try_from(limit).ok());
            limit.ok_or("ERR LIMIT can't be negative")?
        }
        _ => return Err(SYNTAX.into()),
    };
    let found = combined(call, keys, intersection)?.len();
    Ok(Reply::count(if limit > 0 { found.min(limit) } else { found }))
}

fn spop(call: &mut Call<'_>) -> Outcome {
    let key = call.argv[1];
    let count = match call.rest(2) {
        [] => None,
        [_] => Some(call.positive(2)?),
        _ => return Err(SYNTAX.into()),
    };
    let mut random = call.state.random.clone();
    let Some(set) = call.write::<Set>(key)? else {
        return Ok(if count.is_some() { Reply::Set(Vec::new()) } else { Reply::Null });
    };
    let most = set.members().len();
    let count_now = i64::try_from(count.unwrap_or(1).min(most)).map_err(|_| NOT_POSITIVE)?;
    let members: Vec<Vec<u8>> = {
        let all: Vec<&Vec<u8>> = set.members().iter().collect();
        draw(&mut random, most, count_now).into_iter().map(|at| all[at].clone()).collect()
    };
    for member in &members {
        set.remove(member);
    }
    call.state.random = random;
    if !members.is_empty() {
        call.modified(key);
    }
    let mut popped = members.into_iter().map(Reply::Bulk);
    Ok(if count.is_some() { Reply::Set(popped.collect()) } else { popped.next().unwrap_or(Reply::Null) })
}

fn srandmember(call: &mut Call<'_>) -> Outcome {
    let count = match call.rest(2) {
        [] => None,
        [count] => Some(parse_int(count).ok_or(NOT_INT)?),
        _ => return Err(SYNTAX.into()),
    };
    let mut random = call.state.random.clone();
    let set = call.read::<Set>(call.argv[1])?;
    let all: Vec<&Vec<u8>> = set.into_iter().flat_map(Set::members).collect();
    let drawn = draw(&mut random, all.len(), count.unwrap_or(1));
    let mut members = drawn.into_iter().map(|at| Reply::bulk(all[at]));
    let reply = match count {
        Some(_) => Reply::Array(members.collect()),
        None => members.next().unwrap_or(Reply::Null),
    };
    call.state.random = random;
    Ok(reply)
}

/// At most so many can be drawn with repetitions: each is answered, though there be but one member.
const DRAWN_MAX: usize = 1 << 20;

/// Places of some of so many: different ones, or, for a negative count, with repetitions.
pub(super) fn draw(random: &mut Random, of: usize, count: i64) -> Vec<usize> {
    if of == 0 {
        return Vec::new();
    }
    let most = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return (0..most.min(DRAWN_MAX)).map(|_| random.below(of)).collect();
    }
    let mut places: Vec<usize> = (0..of).collect();
    let most = most.min(of);
    for at in 0..most {
        let other = at + random.below(of - at);
        places.swap(at, other);
    }
    places.truncate(most);
    places
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn sets_are_put_together_and_compared() {
        let mut client = Client::new();
        client.check("SADD a 1 2 3 2", ":3");
        client.check("SADD b 2 3 4", ":3");
        client.check("SINTER a b", "[2, 3]");
        client.check("SUNION a b nothing", "[1, 2, 3, 4]");
        client.check("SDIFF a b", "[1]");
        client.check("SINTERCARD 2 a b LIMIT 1", ":1");
        client.check("SDIFFSTORE c a b", ":1");
        client.check("SMISMEMBER c 1 2", "[:1, :0]");
        client.check("SMOVE c b 1", ":1");
        client.check("EXISTS c", ":0");
        client.check("SINTERSTORE b a nothing", ":0");
        client.check("EXISTS b", ":0");
    }

    #[test]
    fn members_are_drawn_by_chance() {
        let mut client = Client::new();
        client.run("SADD a 1 2 3");
        client.check("SRANDMEMBER nothing", "nil");
        client.check("SRANDMEMBER nothing 2", "[]");
        assert!(matches!(client.run("SRANDMEMBER a -5"), super::Reply::Array(drawn) if drawn.len() == 5));
        assert!(matches!(client.run("SRANDMEMBER a 5"), super::Reply::Array(drawn) if drawn.len() == 3));
        assert!(matches!(client.run("SPOP a 2"), super::Reply::Set(popped) if popped.len() == 2));
        client.run("SPOP a");
        client.check("SPOP a", "nil");
        client.check("SPOP a -1", "-ERR value is out of range, must be positive");
    }
}

//! Sorted sets: adding, removing, and asking for members.

use super::super::call::{Call, NOT_FLOAT, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::parse_float;
use super::super::reply::Reply;
use super::super::zset::Zset;
use super::bounds::ScoreRange;

const READ: u32 = flag::READ | flag::SORTED_SET;
const WRITE: u32 = flag::WRITE | flag::SORTED_SET;
const GROW: u32 = WRITE | flag::DENY_OOM;
const FAST: u32 = flag::FAST;

pub(crate) const COMMANDS: &[Command] = &[
    row("zadd", -4, GROW | FAST, Keys::ONE, zadd),
    row("zcard", 2, READ | FAST, Keys::ONE, zcard),
    row("zcount", 4, READ | FAST, Keys::ONE, zcount),
    row("zincrby", 4, GROW | FAST, Keys::ONE, zincrby),
    row("zmscore", -3, READ | FAST, Keys::ONE, zmscore),
    row("zpopmax", -2, WRITE | FAST, Keys::ONE, |call| pop(call, true)),
    row("zpopmin", -2, WRITE | FAST, Keys::ONE, |call| pop(call, false)),
    row("zrank", 3, READ | FAST, Keys::ONE, |call| rank(call, false)),
    row("zrem", -3, WRITE | FAST, Keys::ONE, zrem),
    row("zrevrank", 3, READ | FAST, Keys::ONE, |call| rank(call, true)),
    row("zscore", 3, READ | FAST, Keys::ONE, zscore),
];

const NAN: &str = "ERR resulting score is not a number (NaN)";

/// The options of `ZADD`.
#[derive(Default)]
struct Options {
    if_new: bool,
    if_exists: bool,
    if_greater: bool,
    if_less: bool,
    /// Count what changed, not only what is new.
    changed: bool,
    add: bool,
}

fn zadd(call: &mut Call<'_>) -> Outcome {
    let (mut options, mut at) = (Options::default(), 2);
    loop {
        match &call.word(at)[..] {
            "NX" => options.if_new = true,
            "XX" => options.if_exists = true,
            "GT" => options.if_greater = true,
            "LT" => options.if_less = true,
            "CH" => options.changed = true,
            "INCR" => options.add = true,
            _ => break,
        }
        at += 1;
    }
    let pairs = call.rest(at);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(SYNTAX.into());
    }
    if options.if_new && options.if_exists {
        return Err("ERR XX and NX options at the same time are not compatible".into());
    }
    if options.if_greater && options.if_less || options.if_new && (options.if_greater || options.if_less) {
        return Err("ERR GT, LT, and/or NX options at the same time are not compatible".into());
    }
    if options.add && pairs.len() > 2 {
        return Err("ERR INCR option supports a single increment-element pair".into());
    }
    let read = |pair: &'_ [&'_ [u8]]| parse_float(pair[0]).ok_or(NOT_FLOAT);
    let scores = pairs.chunks_exact(2).map(read).collect::<Result<Vec<_>, _>>()?;
    let members = pairs.chunks_exact(2).map(|pair| pair[1]);
    add(call, &options, scores.into_iter().zip(members))
}

fn zincrby(call: &mut Call<'_>) -> Outcome {
    let (by, member) = (call.float(2)?, call.argv[3]);
    add(call, &Options { add: true, ..Options::default() }, std::iter::once((by, member)))
}

fn add<'a>(call: &mut Call<'_>, options: &Options, pairs: impl Iterator<Item = (f64, &'a [u8])>) -> Outcome {
    let key = call.argv[1];
    if call.read::<Zset>(key)?.is_none() && options.if_exists {
        return Ok(if options.add { Reply::Null } else { Reply::Int(0) });
    }
    let zset = call.write_or_new::<Zset>(key)?;
    let (mut new, mut updated, mut last) = (0, 0, None);
    let mut failed = false;
    for (score, member) in pairs {
        let old = zset.score(member);
        let score = if options.add { old.unwrap_or(0.0) + score } else { score };
        if score.is_nan() {
            failed = true;
            break;
        }
        let refused = match old {
            None => options.if_exists,
            Some(old) => {
                options.if_new || options.if_greater && score <= old || options.if_less && score >= old
            }
        };
        if refused {
            last = None;
            continue;
        }
        last = Some(score);
        if old != Some(score) {
            if zset.insert(member, score) {
                new += 1;
            } else {
                updated += 1;
            }
        }
    }
    if new + updated > 0 || zset.len() == 0 {
        call.modified(key);
    }
    if failed {
        return Err(NAN.into());
    }
    Ok(match options.add {
        true => last.map_or(Reply::Null, Reply::Double),
        false => Reply::count(if options.changed { new + updated } else { new }),
    })
}

fn zrem(call: &mut Call<'_>) -> Outcome {
    let (key, members) = (call.argv[1], call.rest(2));
    let Some(zset) = call.write::<Zset>(key)? else { return Ok(Reply::Int(0)) };
    let gone = members.iter().filter(|member| zset.remove(member).is_some()).count();
    if gone > 0 {
        call.modified(key);
    }
    Ok(Reply::count(gone))
}

fn zcard(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::count(call.read::<Zset>(call.argv[1])?.map_or(0, Zset::len)))
}

fn zcount(call: &mut Call<'_>) -> Outcome {
    let range = ScoreRange::read(call.argv[2], call.argv[3])?;
    let zset = call.read::<Zset>(call.argv[1])?;
    let within = zset.into_iter().flat_map(Zset::ordered).filter(|(_, score)| range.holds(*score));
    Ok(Reply::count(within.count()))
}

fn score_reply(score: Option<f64>) -> Reply {
    score.map_or(Reply::Null, Reply::Double)
}

fn zscore(call: &mut Call<'_>) -> Outcome {
    let (key, member) = (call.argv[1], call.argv[2]);
    Ok(score_reply(call.read::<Zset>(key)?.and_then(|zset| zset.score(member))))
}

fn zmscore(call: &mut Call<'_>) -> Outcome {
    let members = call.rest(2);
    let zset = call.read::<Zset>(call.argv[1])?;
    let one = |member: &&[u8]| score_reply(zset.and_then(|zset| zset.score(member)));
    Ok(Reply::Array(members.iter().map(one).collect()))
}

fn rank(call: &mut Call<'_>, from_end: bool) -> Outcome {
    let (key, member) = (call.argv[1], call.argv[2]);
    let Some(zset) = call.read::<Zset>(key)? else { return Ok(Reply::Null) };
    let rank = zset.rank(member).map(|rank| if from_end { zset.len() - 1 - rank } else { rank });
    Ok(rank.map_or(Reply::Null, Reply::count))
}

fn pop(call: &mut Call<'_>, highest: bool) -> Outcome {
    let key = call.argv[1];
    let count = match call.rest(2) {
        [] => None,
        [_] => Some(count(call)?),
        _ => return Err(SYNTAX.into()),
    };
    let resp3 = call.session.resp3;
    let Some(zset) = call.write::<Zset>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let most = count.unwrap_or(1);
    let own = |(member, score): (&Vec<u8>, f64)| (member.clone(), score);
    let popped: Vec<(Vec<u8>, f64)> = if highest {
        zset.ordered().rev().take(most).map(own).collect()
    } else {
        zset.ordered().take(most).map(own).collect()
    };
    for (member, _) in &popped {
        zset.remove(member);
    }
    if !popped.is_empty() {
        call.modified(key);
    }
    let nested = resp3 && count.is_some();
    Ok(Reply::Array(with_scores(popped, nested)))
}

fn count(call: &Call<'_>) -> Result<usize, Refusal> {
    call.positive(2)
}

/// Members with their scores, each pair by itself or all in a row.
pub(super) fn with_scores(members: Vec<(Vec<u8>, f64)>, nested: bool) -> Vec<Reply> {
    let pair = |(member, score)| [Reply::Bulk(member), Reply::Double(score)];
    if nested {
        members.into_iter().map(|member| Reply::Array(pair(member).into())).collect()
    } else {
        members.into_iter().flat_map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn scores_are_set_added_and_compared() {
        let mut client = Client::new();
        client.check("ZADD z 1 a 2 b", ":2");
        client.check("ZADD z NX 5 a", ":0");
        client.check("ZADD z GT CH 0 a 3 b", ":1");
        client.check("ZADD z INCR 1.5 a", ",2.5");
        client.check("ZADD z XX INCR 1 c", "nil");
        client.check("ZINCRBY z -1 b", ",2");
        client.check("ZSCORE z b", ",2");
        client.check("ZRANK z a", ":1");
        client.check("ZREVRANK z a", ":0");
        client.check("ZCOUNT z (2 +inf", ":1");
        client.check("ZADD z inf c", ":1");
        client.check("ZINCRBY z -inf c", "-ERR resulting score is not a number (NaN)");
        client.check("ZPOPMAX z", "[c, ,inf]");
        client.check("ZPOPMIN z 9", "[b, ,2, a, ,2.5]");
        client.check("EXISTS z", ":0");
        client.check("ZADD z XX 1 a", ":0");
        client.check("ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not compatible");
        client.check("EXISTS z", ":0");
    }
}

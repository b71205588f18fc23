//! Sorted sets: ranges by rank, by score and by member.

use super::super::call::{Call, NOT_INT, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::parse_int;
use super::super::reply::Reply;
use super::super::zset::Zset;
use super::bounds::{MemberRange, ScoreRange};
use super::lists::part;
use super::zsets::with_scores;

const READ: u32 = flag::READ | flag::SORTED_SET;
const WRITE: u32 = flag::WRITE | flag::SORTED_SET;

pub(crate) const COMMANDS: &[Command] = &[
    row("zlexcount", 4, READ | flag::FAST, Keys::ONE, zlexcount),
    row("zrange", -4, READ, Keys::ONE, zrange),
    row("zrangebylex", -4, READ, Keys::ONE, |call| older(call, By::Member, false)),
    row("zrangebyscore", -4, READ, Keys::ONE, |call| older(call, By::Score, false)),
    row("zremrangebylex", 4, WRITE, Keys::ONE, |call| remove(call, By::Member)),
    row("zremrangebyrank", 4, WRITE, Keys::ONE, |call| remove(call, By::Rank)),
    row("zremrangebyscore", 4, WRITE, Keys::ONE, |call| remove(call, By::Score)),
    row("zrevrange", -4, READ, Keys::ONE, |call| older(call, By::Rank, true)),
    row("zrevrangebylex", -4, READ, Keys::ONE, |call| older(call, By::Member, true)),
    row("zrevrangebyscore", -4, READ, Keys::ONE, |call| older(call, By::Score, true)),
];

/// What a range goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// A range that is asked for.
struct Query {
    by: By,
    reverse: bool,
    with_scores: bool,
    /// How many to leave out, and how many to take at most; all, if negative.
    limit: Option<(i64, i64)>,
}

/// The range itself, which says of a member whether it is in.
enum Range {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(MemberRange),
}

impl Range {
    /// A range between two texts, the lower bound first.
    fn read(by: By, low: &[u8], high: &[u8]) -> Result<Self, Refusal> {
        Ok(match by {
            By::Rank => {
                let number = |text| parse_int(text).ok_or(NOT_INT);
                Self::Ranks(number(low)?, number(high)?)
            }
            By::Score => Self::Scores(ScoreRange::read(low, high)?),
            By::Member => Self::Members(MemberRange::read(low, high)?),
        })
    }

    fn of(&self, zset: &Zset, reverse: bool) -> Vec<(Vec<u8>, f64)> {
        let own = |(member, score): (&Vec<u8>, f64)| (member.clone(), score);
        let ordered: Box<dyn Iterator<Item = (&Vec<u8>, f64)>> =
            if reverse { Box::new(zset.ordered().rev()) } else { Box::new(zset.ordered()) };
        match self {
            Self::Ranks(start, end) => match part(*start, *end, zset.len()) {
                Some((start, end)) => ordered.skip(start).take(end - start + 1).map(own).collect(),
                None => Vec::new(),
            },
            Self::Scores(range) => ordered.filter(|(_, score)| range.holds(*score)).map(own).collect(),
            Self::Members(range) => ordered.filter(|(member, _)| range.holds(member)).map(own).collect(),
        }
    }
}

fn options(call: &Call<'_>, mut query: Query, choose: bool) -> Result<Query, Refusal> {
    let mut at = 4;
    while at < call.argv.len() {
        match &call.word(at)[..] {
            "WITHSCORES" => query.with_scores = true,
            "LIMIT" if at + 2 < call.argv.len() => {
                query.limit = Some((call.int(at + 1)?, call.int(at + 2)?));
                at += 2;
            }
            "BYSCORE" if choose => query.by = By::Score,
            "BYLEX" if choose => query.by = By::Member,
            "REV" if choose => query.reverse = true,
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    if query.limit.is_some() && query.by == By::Rank {
        return Err(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX".into()
        );
    }
    if query.with_scores && query.by == By::Member {
        return Err("ERR syntax error, WITHSCORES not supported in combination with BYLEX".into());
    }
    Ok(query)
}

fn zrange(call: &mut Call<'_>) -> Outcome {
    let query = Query { by: By::Rank, reverse: false, with_scores: false, limit: None };
    let query = options(call, query, true)?;
    answer(call, &query)
}

fn older(call: &mut Call<'_>, by: By, reverse: bool) -> Outcome {
    let query = options(call, Query { by, reverse, with_scores: false, limit: None }, false)?;
    answer(call, &query)
}

fn answer(call: &mut Call<'_>, query: &Query) -> Outcome {
    let (mut low, mut high) = (call.argv[2], call.argv[3]);
    if query.reverse && query.by != By::Rank {
        std::mem::swap(&mut low, &mut high);
    }
    let range = Range::read(query.by, low, high)?;
    let nested = call.session.resp3;
    let Some(zset) = call.read::<Zset>(call.argv[1])? else { return Ok(Reply::Array(Vec::new())) };
    let mut members = range.of(zset, query.reverse);
    if let Some((skip, take)) = query.limit {
        // A negative offset leaves nothing.
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(members.len());
        members.drain(..skip);
        members.truncate(usize::try_from(take).unwrap_or(usize::MAX));
    }
    Ok(Reply::Array(if query.with_scores {
        with_scores(members, nested)
    } else {
        members.into_iter().map(|(member, _)| Reply::Bulk(member)).collect()
    }))
}

fn zlexcount(call: &mut Call<'_>) -> Outcome {
    let range = MemberRange::read(call.argv[2], call.argv[3])?;
    let zset = call.read::<Zset>(call.argv[1])?;
    let within = zset.into_iter().flat_map(Zset::ordered).filter(|(member, _)| range.holds(member));
    Ok(Reply::count(within.count()))
}

fn remove(call: &mut Call<'_>, by: By) -> Outcome {
    let key = call.argv[1];
    let range = Range::read(by, call.argv[2], call.argv[3])?;
    let Some(zset) = call.write::<Zset>(key)? else { return Ok(Reply::Int(0)) };
    let gone = range.of(zset, false);
    for (member, _) in &gone {
        zset.remove(member);
    }
    if !gone.is_empty() {
        call.modified(key);
    }
    Ok(Reply::count(gone.len()))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn ranges_are_cut_out() {
        let mut client = Client::new();
        client.run("ZADD z 1 a 2 b 3 c 3 d");
        client.check("ZRANGE z 0 -1", "[a, b, c, d]");
        client.check("ZRANGE z 1 2 REV WITHSCORES", "[c, ,3, b, ,2]");
        client.check("ZRANGE z (1 3 BYSCORE LIMIT 1 5", "[c, d]");
        client.check("ZRANGE z 3 1 BYSCORE REV LIMIT 0 1", "[d]");
        client.check("ZREVRANGEBYSCORE z +inf 2 WITHSCORES LIMIT 2 1", "[b, ,2]");
        client.check("ZRANGEBYSCORE z x 1", "-ERR min or max is not a float");
        client.check("ZRANGEBYLEX z [b (d", "[b, c]");
        client.check("ZRANGEBYLEX z b (d", "-ERR min or max not valid string range item");
        client.check("ZREMRANGEBYRANK z 0 0", ":1");
        client.check("ZREMRANGEBYSCORE z 3 3", ":2");
        client.check("ZREVRANGE z 0 -1 WITHSCORES", "[b, ,2]");
        client.check(
            "ZRANGE z 0 -1 LIMIT 0 1",
            "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        );
    }
}

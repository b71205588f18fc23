//! `SCAN` and its kin. A cursor is a place in the order of hashes: what stays throughout a scan is found, whatever else changes.

use squall_client::core::glob;

use super::super::call::{Call, NOT_INT, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::key;
use super::super::number::parse_int;
use super::super::reply::Reply;
use super::super::value::{Hash, Set};
use super::super::zset::Zset;

pub(crate) const COMMANDS: &[Command] = &[
    row("hscan", -3, flag::READ | flag::HASH, Keys::ONE, hscan),
    row("scan", -2, flag::READ | flag::KEYSPACE, Keys::None, scan),
    row("sscan", -3, flag::READ | flag::SET, Keys::ONE, sscan),
    row("zscan", -3, flag::READ | flag::SORTED_SET, Keys::ONE, zscan),
];

/// What a scan is to find.
struct Query<'a> {
    cursor: u64,
    pattern: Option<&'a [u8]>,
    count: usize,
    of_type: Option<String>,
}

impl Query<'_> {
    fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}

/// A cursor as C's `strtoul` reads it, to which an empty text is 0 and a negative number wraps around.
fn cursor(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return text.is_empty().then_some(0);
    }
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let value: u64 = std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()?;
    Some(if negative { value.wrapping_neg() } else { value })
}

fn query<'a>(call: &Call<'a>, at: usize) -> Result<Query<'a>, Refusal> {
    let cursor = cursor(call.argv[at]).ok_or("ERR invalid cursor")?;
    let mut query = Query { cursor, pattern: None, count: 10, of_type: None };
    for (index, pair) in call.rest(at + 1).chunks(2).enumerate() {
        let [_, value] = pair else { return Err(SYNTAX.into()) };
        match &call.word(at + 1 + 2 * index)[..] {
            "MATCH" => query.pattern = Some(value),
            "COUNT" => {
                let count = parse_int(value).ok_or(NOT_INT)?;
                query.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(SYNTAX)?;
            }
            "TYPE" if at == 1 => query.of_type = Some(String::from_utf8_lossy(value).to_ascii_lowercase()),
            _ => return Err(SYNTAX.into()),
        }
    }
    Ok(query)
}

fn answer(cursor: u64, found: Vec<Reply>) -> Outcome {
    Ok(Reply::Array(vec![Reply::bulk(cursor.to_string().as_bytes()), Reply::Array(found)]))
}

fn scan(call: &mut Call<'_>) -> Outcome {
    let query = query(call, 1)?;
    let (mut found, mut seen, mut next) = (Vec::new(), 0, 0);
    let mut last = None;
    for (key, entry) in call.db().after_cursor(query.cursor) {
        // Keys with the same hash are never parted.
        if seen >= query.count && last != Some(key.hash()) {
            next = key.hash();
            break;
        }
        seen += 1;
        last = Some(key.hash());
        let typed = query.of_type.as_ref().is_none_or(|name| entry.value.type_name() == name);
        if typed && query.matches(key.bytes()) {
            found.push(Reply::bulk(key.bytes()));
        }
    }
    answer(next, found)
}

/// So many or fewer members are given at once, as Redis does with those that it keeps in one piece.
const AT_ONCE: usize = 128;

/// Scans members, each with its replies.
fn scan_members<'a>(
    query: &Query<'_>,
    members: impl ExactSizeIterator<Item = (&'a Vec<u8>, Vec<Reply>)>,
) -> Outcome {
    let (mut hashed, mut next) = (Vec::new(), 0);
    let at_once = members.len() <= AT_ONCE;
    for (member, replies) in members {
        let hash = key::hash(member);
        if at_once || hash >= query.cursor {
            hashed.push((hash, member, replies));
        }
    }
    if !at_once {
        hashed.sort_by_key(|(hash, ..)| *hash);
        let last = hashed.get(query.count - 1).map(|(hash, ..)| *hash);
        if let Some(last) = last {
            let end = hashed.partition_point(|(hash, ..)| *hash <= last);
            next = hashed.get(end).map_or(0, |(hash, ..)| *hash);
            hashed.truncate(end);
        }
    }
    let matching = hashed.into_iter().filter(|(_, member, _)| query.matches(member));
    answer(next, matching.flat_map(|(_, _, replies)| replies).collect())
}

fn hscan(call: &mut Call<'_>) -> Outcome {
    let query = query(call, 2)?;
    let Some(hash) = call.read::<Hash>(call.argv[1])? else { return answer(0, Vec::new()) };
    let fields = hash.fields().iter();
    scan_members(&query, fields.map(|(name, value)| (name, vec![Reply::bulk(name), Reply::bulk(value)])))
}

fn sscan(call: &mut Call<'_>) -> Outcome {
    let query = query(call, 2)?;
    let Some(set) = call.read::<Set>(call.argv[1])? else { return answer(0, Vec::new()) };
    scan_members(&query, set.members().iter().map(|member| (member, vec![Reply::bulk(member)])))
}

fn zscan(call: &mut Call<'_>) -> Outcome {
    let query = query(call, 2)?;
    let Some(zset) = call.read::<Zset>(call.argv[1])? else { return answer(0, Vec::new()) };
    let text = |score: f64| Reply::Bulk(super::super::number::float_text(score).into_bytes());
    let scores = zset.scores().iter();
    scan_members(&query, scores.map(|(member, score)| (member, vec![Reply::bulk(member), text(*score)])))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::super::testing::{Client, shown};
    use super::Reply;

    /// Every name that a scan finds, told once, with keys coming and going meanwhile.
    fn found(client: &mut Client, command: &str) -> BTreeSet<String> {
        let (mut cursor, mut found) = ("0".to_owned(), BTreeSet::new());
        for round in 0.. {
            let Reply::Array(reply) = client.run(&command.replace('%', &cursor)) else { panic!("{command}") };
            let [next, Reply::Array(names)] = &reply[..] else { panic!("{command}") };
            names.iter().for_each(|name| assert!(found.insert(shown(name)), "told twice"));
            client.run(&format!("SET more{round} x"));
            client.run(&format!("SADD s gone{round}"));
            cursor = shown(next);
            if cursor == "0" {
                break;
            }
        }
        found
    }

    #[test]
    fn what_stays_throughout_is_found_once() {
        let mut client = Client::new();
        let names: BTreeSet<String> = (0..500).map(|number| format!("key{number}")).collect();
        for name in &names {
            client.run(&format!("SET {name} x"));
            client.run(&format!("SADD s {name}"));
        }
        assert_eq!(found(&mut client, "SCAN % MATCH key* COUNT 7"), names);
        assert_eq!(found(&mut client, "SSCAN s % MATCH key* COUNT 7"), names);
        assert_eq!(found(&mut client, "SCAN % TYPE set").len(), 1);
    }

    #[test]
    fn what_is_no_scan_is_refused() {
        let mut client = Client::new();
        client.check("SCAN x", "-ERR invalid cursor");
        client.check("SCAN 0 COUNT 0", "-ERR syntax error");
        client.check("SCAN 0 MATCH", "-ERR syntax error");
        client.check("HSCAN h 0 TYPE hash", "-ERR syntax error");
        client.check("HSCAN h 0", "[0, []]");
    }
}

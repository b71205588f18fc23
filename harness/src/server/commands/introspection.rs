//! `COMMAND`, `OBJECT`, `MEMORY` and the like: what tools and some clients ask.

use super::super::call::{Call, Outcome, Refusal, SYNTAX};
use super::super::command::{self, Command, Keys, flag, row};
use super::super::number::parse_int;
use super::super::reply::Reply;
use super::super::value::{List, Value};

const PLAIN: u32 = flag::CONNECTION;
const OBJECT: u32 = flag::READ | flag::KEYSPACE;
const KEY_SECOND: Keys = Keys::Range(2, 2, 1);

pub(crate) const COMMANDS: &[Command] = &[
    row("command", -1, PLAIN | flag::CONTAINER, Keys::None, all),
    row("command|count", 2, PLAIN, Keys::None, |_| Ok(Reply::count(top_level().count()))),
    row("command|docs", -2, PLAIN, Keys::None, |_| Ok(Reply::Map(Vec::new()))),
    row("command|getkeys", -3, PLAIN, Keys::None, getkeys),
    row("command|info", -2, PLAIN, Keys::None, info),
    row("command|list", -2, PLAIN, Keys::None, |_| Ok(Reply::bulks(top_level().map(|command| command.name)))),
    row("latency", -2, flag::ADMIN | flag::DANGEROUS | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("latency|latest", 2, flag::ADMIN | flag::DANGEROUS, Keys::None, |_| Ok(Reply::Array(Vec::new()))),
    row("latency|reset", -2, flag::ADMIN | flag::DANGEROUS, Keys::None, |_| Ok(Reply::Int(0))),
    row("memory", -2, flag::READ | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("memory|usage", -3, flag::READ, KEY_SECOND, memory_usage),
    row("object", -2, OBJECT | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("object|encoding", 3, OBJECT, KEY_SECOND, encoding),
    row("object|idletime", 3, OBJECT, KEY_SECOND, idletime),
    row("object|refcount", 3, OBJECT, KEY_SECOND, refcount),
    row("slowlog", -2, flag::ADMIN | flag::DANGEROUS | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("slowlog|get", -2, flag::ADMIN | flag::DANGEROUS, Keys::None, |_| Ok(Reply::Array(Vec::new()))),
    row("slowlog|len", 2, flag::ADMIN | flag::DANGEROUS, Keys::None, |_| Ok(Reply::Int(0))),
    row("slowlog|reset", 2, flag::ADMIN | flag::DANGEROUS, Keys::None, |_| Ok(Reply::OK)),
];

fn top_level() -> impl Iterator<Item = &'static Command> {
    command::TABLE.iter().filter(|command| !command.name.contains('|'))
}

fn all(_: &mut Call<'_>) -> Outcome {
    Ok(Reply::Array(top_level().map(describe).collect()))
}

fn info(call: &mut Call<'_>) -> Outcome {
    let names = call.rest(2);
    if names.is_empty() {
        return all(call);
    }
    let one = |name: &&[u8]| command::find(name).map_or(Reply::NullArray, describe);
    Ok(Reply::Array(names.iter().map(one).collect()))
}

/// A command as `COMMAND` describes it.
fn describe(command: &Command) -> Reply {
    const FLAGS: [(u32, &str); 9] = [
        (flag::WRITE, "write"),
        (flag::READ, "readonly"),
        (flag::DENY_OOM, "denyoom"),
        (flag::ADMIN, "admin"),
        (flag::PUBSUB, "pubsub"),
        (flag::NO_SCRIPT, "noscript"),
        (flag::FAST, "fast"),
        (flag::NO_AUTH, "no_auth"),
        (flag::ALLOW_BUSY, "allow_busy"),
    ];
    let status = |text: String| Reply::Status(text.into_bytes().into());
    let flags = FLAGS.iter().filter(|(bit, _)| command.has(*bit));
    let categories = command::categories().filter(|category| command.in_category(category));
    let (first, last, step) = match command.keys {
        Keys::Range(first, last, step) => (first, last, step),
        Keys::None | Keys::Counted(_) => (0, 0, 0),
    };
    Reply::Array(vec![
        Reply::bulk(command.name.as_bytes()),
        Reply::Int(i64::try_from(command.arity).unwrap_or(0)),
        Reply::Set(flags.map(|(_, name)| status((*name).to_owned())).collect()),
        Reply::count(first),
        Reply::Int(i64::try_from(last).unwrap_or(0)),
        Reply::count(step),
        Reply::Set(categories.map(|name| status(format!("@{name}"))).collect()),
        Reply::Array(Vec::new()),
        Reply::Array(Vec::new()),
        Reply::Array(Vec::new()),
    ])
}

fn getkeys(call: &mut Call<'_>) -> Outcome {
    let argv = call.rest(2);
    let command = command::find(argv[0]).ok_or("ERR Invalid command specified")?;
    if !command.accepts(argv.len()) {
        return Err("ERR Invalid number of arguments specified for command".into());
    }
    let keys = command.keys.of(argv);
    if keys.is_empty() { Err("ERR The command has no key arguments".into()) } else { Ok(Reply::bulks(keys)) }
}

fn memory_usage(call: &mut Call<'_>) -> Outcome {
    match call.rest(3) {
        [] => {}
        [word, count] if word.eq_ignore_ascii_case(b"SAMPLES") => {
            parse_int(count).ok_or(SYNTAX)?;
        }
        _ => return Err(SYNTAX.into()),
    }
    let key = call.argv[2];
    let Some(entry) = call.db().entry(key) else { return Ok(Reply::Null) };
    Ok(Reply::count(entry.value.bytes() + key.len() + 48))
}

fn idletime(call: &mut Call<'_>) -> Outcome {
    let (key, now) = (call.argv[2], call.now);
    let Some(entry) = call.db().entry(key) else { return Ok(Reply::Null) };
    let idle = now.saturating_sub(entry.accessed()) / 1_000_000;
    Ok(Reply::Int(i64::try_from(idle).unwrap_or(i64::MAX)))
}

fn refcount(call: &mut Call<'_>) -> Outcome {
    let key = call.argv[2];
    Ok(if call.db().entry(key).is_some() { Reply::Int(1) } else { Reply::Null })
}

fn encoding(call: &mut Call<'_>) -> Outcome {
    let limit = |call: &Call<'_>, name: &str| -> Result<usize, Refusal> {
        Ok(call.state.settings.all().get(name).and_then(|value| value.parse().ok()).unwrap_or(128))
    };
    let (hash, zset) = (limit(call, "hash-max-listpack-entries")?, limit(call, "zset-max-listpack-entries")?);
    let ints = limit(call, "set-max-intset-entries")?;
    let key = call.argv[2];
    let Some(entry) = call.db().entry(key) else { return Ok(Reply::Null) };
    let short = |text: &Vec<u8>| text.len() <= 64;
    let name = match &entry.value {
        Value::Text(text) if parse_int(text).is_some() => "int",
        Value::Text(text) if text.len() <= 44 => "embstr",
        Value::Text(_) => "raw",
        Value::Hash(fields) => {
            let small = fields.fields().len() <= hash;
            let short = fields.fields().iter().all(|(name, value)| short(name) && short(value));
            if small && short { "listpack" } else { "hashtable" }
        }
        Value::Set(set) => {
            let small = set.members().len() <= ints;
            let numbers = set.members().iter().all(|member| parse_int(member).is_some());
            if small && numbers { "intset" } else { "hashtable" }
        }
        Value::Zset(members) => {
            let small = members.len() <= zset && members.scores().keys().all(short);
            if small { "listpack" } else { "skiplist" }
        }
        Value::List(list) => list_encoding(list),
    };
    Ok(Reply::bulk(name.as_bytes()))
}

fn list_encoding(_: &List) -> &'static str {
    "quicklist"
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;
    use super::*;

    #[test]
    fn every_command_is_described() {
        let mut client = Client::new();
        let Reply::Array(described) = client.run("COMMAND") else { panic!("no list") };
        assert_eq!(described.len(), top_level().count());
        client.check("COMMAND GETKEYS MSET a 1 b 2", "[a, b]");
        client.check("COMMAND GETKEYS PING", "-ERR The command has no key arguments");
        client.check("COMMAND DOCS get", "{}");
        client.check("COMMAND INFO nothing", "[nil]");
    }

    #[test]
    fn values_tell_how_they_are_kept() {
        let mut client = Client::new();
        client.run("SET n 5");
        client.run("SADD s 1 2");
        client.check("OBJECT ENCODING n", "int");
        client.check("OBJECT ENCODING s", "intset");
        client.run("SADD s x");
        client.check("OBJECT ENCODING s", "hashtable");
        client.wait_ms(2000);
        client.check("OBJECT IDLETIME n", ":2");
        client.check("MEMORY USAGE nothing", "nil");
    }
}

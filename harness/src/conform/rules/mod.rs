//! The rules, in the order in which they are tried.

mod ending;
mod greeting;
mod lifetimes;
mod sessions;
mod several;
mod telling;
mod traffic;

use serde_json::{Value, json};

use super::talk::Talk;
use super::{Failure, Rule, Stage, Tried};
use crate::history::{Capability, Left, ServedBy, SessionId, Write};
use crate::load::value;
use crate::subject::process::message::{HelloReply, ValueReply};

/// Every rule; without the first no other makes sense.
pub(super) const ALL: [Rule; 21] = [
    rule("init is answered in time, with name, key and can", |stage| Box::pin(greeting::init(stage))),
    rule("init is answered in time when nobody listens at Redis", |stage| Box::pin(greeting::refused(stage))),
    rule("init is answered in time when Redis is silent", |stage| Box::pin(greeting::silent(stage))),
    rule("create, then get: the value comes back", |stage| Box::pin(sessions::create(stage))),
    rule("the key is where Redis holds the session", |stage| Box::pin(sessions::key(stage))),
    rule("create replaces a session that exists", |stage| Box::pin(sessions::replace(stage))),
    rule("a value of 1 MiB comes back", |stage| Box::pin(sessions::large(stage))),
    rule("destroy ends the session", |stage| Box::pin(sessions::destroy(stage))),
    rule("get of no session is null, destroy of none is ok", |stage| Box::pin(sessions::none(stage))),
    rule("update of no session fails and makes none", |stage| Box::pin(sessions::update_none(stage))),
    rule("update keeps the TTL, get does too", |stage| Box::pin(lifetimes::update(stage))),
    needs(Capability::Ttl, "touch sets the TTL and keeps the value", |stage| {
        Box::pin(lifetimes::touch(stage))
    }),
    needs(Capability::Ttl, "ttl tells what is left", |stage| Box::pin(lifetimes::ttl(stage))),
    needs(Capability::Ttl, "touch and ttl of no session", |stage| Box::pin(lifetimes::none(stage))),
    needs(Capability::ReadMany, "read_many answers for each session, in order", |stage| {
        Box::pin(several::read_many(stage))
    }),
    rule("what it says that it can tell, it tells", |stage| Box::pin(telling::all(stage))),
    rule("an operation that is not known is refused as invalid", |stage| Box::pin(traffic::unknown(stage))),
    rule("concurrent requests get their own answers", |stage| Box::pin(traffic::concurrent(stage))),
    rule("two instances see each other's writes", |stage| Box::pin(traffic::two(stage))),
    rule("shutdown ends the process", |stage| Box::pin(ending::shutdown(stage))),
    rule("the end of stdin ends the process", |stage| Box::pin(ending::end_of_stdin(stage))),
];

type TryIt = for<'a> fn(&'a Stage) -> crate::subject::BoxFuture<'a, Tried>;

const fn rule(name: &'static str, try_it: TryIt) -> Rule {
    Rule { name, needs: None, try_it }
}

const fn needs(needed: Capability, name: &'static str, try_it: TryIt) -> Rule {
    Rule { name, needs: Some(needed), try_it }
}

/// Sessions of the checks: far beyond those of any load.
const FIRST_SESSION: u32 = 4_000_000_000;

/// A lifetime that does not end during a check.
const TTL_MS: u64 = 60_000;

/// How far a TTL may be from what it should be.
const SLACK_MS: u64 = 2_000;

fn session(number: u32) -> SessionId {
    SessionId(FIRST_SESSION + number)
}

/// A value that no other write has.
fn value_of(number: u64, session: SessionId, size: u32) -> Value {
    let bytes = value::value(Write { instance: 0, number }, session, size);
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn create(session: SessionId, value: &Value) -> Value {
    json!({"op": "create", "session": session, "value": value, "ttl_ms": TTL_MS})
}

fn op(name: &str, session: SessionId) -> Value {
    json!({"op": name, "session": session})
}

/// Starts the subject against the Redis that is well.
async fn started(stage: &Stage) -> Result<(Talk, HelloReply), Failure> {
    Talk::start(stage, &stage.redis).await
}

/// Reads a session and compares: it must be `expected`, and come from Redis.
async fn reads(talk: &mut Talk, session: SessionId, expected: &Value) -> Result<(), Failure> {
    let got: ValueReply = talk.ok(op("get", session)).await?;
    let value: Value = serde_json::from_str(got.value.get()).unwrap_or_default();
    if value != *expected {
        let told = super::talk::shown(expected);
        return Err(talk.fails(&format!("the value {told}")));
    }
    if got.served_by != ServedBy::Redis {
        return Err(talk.fails("served_by redis: Redis is well"));
    }
    Ok(())
}

/// What Redis itself says of a session.
async fn side(stage: &Stage, hello: &HelloReply, session: SessionId) -> Result<Option<Left>, Failure> {
    let key = hello.key.replace("{session}", &session.to_string());
    let asked = async {
        let client = redis::Client::open(stage.redis.as_str())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PTTL").arg(&key).query_async::<i64>(&mut connection).await
    };
    match asked.await {
        Ok(-2) => Ok(None),
        Ok(-1) => Ok(Some(Left::Forever)),
        Ok(left) => Ok(Some(Left::Millis(u64::try_from(left).unwrap_or_default()))),
        Err(error) => Err(Failure {
            sent: format!("PTTL {key} to Redis from the side"),
            came: error.to_string(),
            expected: "an answer; is this Redis well, and may it be written to?".to_owned(),
        }),
    }
}

/// Redis must say that about `ttl_ms` are left.
async fn lives_for(
    stage: &Stage,
    talk: &Talk,
    hello: &HelloReply,
    session: SessionId,
    ttl_ms: u64,
) -> Result<(), Failure> {
    let left = side(stage, hello, session).await?;
    let key = hello.key.replace("{session}", &session.to_string());
    let seen = match left {
        Some(Left::Millis(left)) if left <= ttl_ms && left + SLACK_MS >= ttl_ms => return Ok(()),
        Some(Left::Millis(left)) => format!("Redis then says that {key} has {left} ms left"),
        Some(Left::Forever) => format!("Redis then says that {key} has no TTL"),
        None => format!("Redis then says that there is no key {key}"),
    };
    Err(talk.fails_as(&seen, &format!("{key} with a TTL of about {ttl_ms} ms")))
}

/// Redis must say that there is no such session.
async fn is_gone(stage: &Stage, talk: &Talk, hello: &HelloReply, session: SessionId) -> Result<(), Failure> {
    match side(stage, hello, session).await? {
        None => Ok(()),
        Some(_) => {
            let key = hello.key.replace("{session}", &session.to_string());
            Err(talk.fails_as(&format!("Redis then still has {key}"), "no such key"))
        }
    }
}

/// Removes what a check made.
async fn tidied(mut talk: Talk, sessions: impl IntoIterator<Item = SessionId>) -> Tried {
    for session in sessions {
        let _: Value = talk.ok(op("destroy", session)).await?;
    }
    Ok(String::new())
}

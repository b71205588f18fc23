//! From a subject's answers to what the conductor records.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::message::{
    HelloReply, OneOfMany, Op, Refusal, Reply, TtlReply, ValueReply, ValuesReply, WriteReply,
};
use super::reading::object;
use crate::history::{Saw, ValueSeen};
use crate::load::{Kind, Many, Several, value};
use crate::subject::{Done, Hello, OperationError, Request};

/// What became of one session of several.
pub(super) type Each = Result<Done, OperationError>;

/// The message for a request on several sessions.
pub(super) fn op_several(several: &Several) -> Op<'_> {
    match several.what {
        Many::Read => Op::ReadMany { sessions: &several.sessions },
        Many::Clear => Op::Clear,
    }
}

/// The message for `request`; `value` is the request's as JSON.
pub(super) fn op<'a>(request: &Request, value: &'a RawValue) -> Op<'a> {
    let session = request.session;
    let ttl_ms = request.ttl_ms.unwrap_or_default();
    match request.kind {
        Kind::Create => Op::Create { session, value, ttl_ms },
        Kind::Get => Op::Get { session },
        Kind::Update => Op::Update { session, value },
        Kind::Touch => Op::Touch { session, ttl_ms },
        Kind::Destroy => Op::Destroy { session },
        Kind::Ttl => Op::Ttl { session },
    }
}

/// What an answer to an operation of `kind` says; the error says what is wrong with the answer.
pub(super) fn done(kind: Kind, reply: &Reply) -> Result<Done, String> {
    match kind {
        Kind::Create | Kind::Update | Kind::Touch | Kind::Destroy => {
            object::<WriteReply>(&reply.0).map(|ok| Done { served_by: ok.served_by, saw: Saw::Done })
        }
        Kind::Get => object::<ValueReply>(&reply.0)
            .map(|ok| Done { served_by: ok.served_by, saw: Saw::Value(seen(&ok.value)) }),
        Kind::Ttl => {
            object::<TtlReply>(&reply.0).map(|ok| Done { served_by: ok.served_by, saw: Saw::Ttl(ok.ttl_ms) })
        }
    }
}

/// What an answer to a request on several sessions says of each; the error says what is wrong with the answer.
pub(super) fn done_several(several: &Several, reply: &Reply) -> Result<Vec<Each>, String> {
    let asked = several.sessions.len();
    match several.what {
        Many::Clear => {
            let ok: WriteReply = object(&reply.0)?;
            Ok(vec![Ok(Done { served_by: ok.served_by, saw: Saw::Done }); asked])
        }
        Many::Read => {
            let ok: ValuesReply = object(&reply.0)?;
            if ok.sessions.len() != asked {
                return Err(format!("{} sessions, and {asked} were asked for", ok.sessions.len()));
            }
            Ok(ok.sessions.into_iter().map(one_of_many).collect())
        }
    }
}

fn one_of_many(one: OneOfMany) -> Each {
    match one {
        OneOfMany::Ok(ok) => Ok(Done { served_by: ok.served_by, saw: Saw::Value(seen(&ok.value)) }),
        OneOfMany::Error(refusal) => Err(refused(refusal)),
    }
}

/// What a subject says of itself; the error says what is wrong with it.
pub(super) fn hello(reply: &Reply) -> Result<Hello, String> {
    let hello: HelloReply = object(&reply.0)?;
    let can = hello.capabilities()?;
    if hello.name.trim().is_empty() {
        return Err("the name is empty; give name and version, such as \"redis-py 8.1.0\"".to_owned());
    }
    if !hello.key.contains("{session}") {
        let shown = super::lines::cut(hello.key.as_bytes());
        return Err(format!(
            "the key is {shown:?}; it must hold {{session}}, such as \"session:{{session}}\""
        ));
    }
    Ok(Hello { name: hello.name, key: hello.key, can, ignored: hello.ignored })
}

/// What became of a refused operation.
pub(super) fn refused(refusal: Refusal) -> OperationError {
    OperationError { code: refusal.code, definite: refusal.definite, text: refusal.text }
}

/// Whose value it is. A subject may write JSON in its own way, so one of ours is first written in our way again; anything
/// else is looked at as it came, and is then not intact.
fn seen(raw: &RawValue) -> Option<ValueSeen> {
    if raw.get() == "null" {
        return None;
    }
    let again = serde_json::from_str(raw.get()).ok().and_then(|parsed: Value| ours(&parsed));
    Some(value::seen(again.as_deref().unwrap_or(raw.get()).as_bytes()))
}

/// A value with exactly our three keys, in our order and without blanks.
fn ours(parsed: &Value) -> Option<String> {
    #[derive(Serialize)]
    struct Ours<'a> {
        w: &'a str,
        s: &'a str,
        pad: &'a str,
    }
    let map = parsed.as_object().filter(|map| map.len() == 3)?;
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    serde_json::to_string(&Ours { w: text("w")?, s: text("s")?, pad: text("pad")? }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Capability, ServedBy, SessionId, Write};

    const WRITE: Write = Write { instance: 0, number: 17 };

    fn reply(text: &str) -> Reply {
        Reply(RawValue::from_string(text.to_owned()).unwrap())
    }

    fn got(value: &str) -> Option<ValueSeen> {
        match done(Kind::Get, &reply(&format!("{{\"value\":{value}}}"))).unwrap().saw {
            Saw::Value(seen) => seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn our_value_is_known_again_however_its_json_is_written() {
        let value = String::from_utf8(value::value(WRITE, SessionId(5), 200).to_vec()).unwrap();
        let whole = Some(ValueSeen { write: Some(WRITE), session: Some(SessionId(5)), intact: true });
        assert_eq!(got(&value), whole);
        let parsed: Value = serde_json::from_str(&value).unwrap();
        let pad = &parsed["pad"];
        assert_eq!(got(&format!("{{ \"pad\" : {pad},\n \"s\": \"s5\", \"w\" : \"\\u0030-17\" }}")), whole);
    }

    #[test]
    fn a_value_that_is_not_ours_is_damaged_and_harms_nothing() {
        let value = String::from_utf8(value::value(WRITE, SessionId(5), 200).to_vec()).unwrap();
        let more = value.replacen('{', "{\"more\":1,", 1);
        let damaged = ValueSeen { write: Some(WRITE), session: Some(SessionId(5)), intact: false };
        assert_eq!(got(&more), Some(damaged));
        assert_eq!(got(&value.replacen("0-17", "0-18", 1)).map(|seen| seen.intact), Some(false));
        for text in
            ["{}", "3", "[]", "\"\"", "\"\\ud800\"", "{\"w\":1,\"s\":2,\"pad\":3}", "false", "{\"w\":null}"]
        {
            assert_eq!(got(text), Some(ValueSeen { write: None, session: None, intact: false }), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(got(&deep).map(|seen| seen.intact), Some(false));
        assert_eq!(got("null"), None);
    }

    #[test]
    fn an_answer_of_the_wrong_kind_is_refused() {
        assert!(done(Kind::Get, &reply("{\"served_by\":\"redis\"}")).is_err());
        assert!(done(Kind::Create, &reply("{\"value\":null}")).is_err());
        assert!(done(Kind::Ttl, &reply("{\"value\":null}")).is_err());
        let ok = done(Kind::Ttl, &reply("{\"ttl_ms\":5,\"served_by\":\"local\"}"));
        assert_eq!(ok, Ok(Done { served_by: ServedBy::Local, saw: Saw::Ttl(Some(5)) }));
    }

    #[test]
    fn each_of_several_sessions_has_its_own_answer_and_none_is_missing() {
        let sessions = vec![SessionId(1), SessionId(2)];
        let done =
            |what, text: &str| done_several(&Several { what, sessions: sessions.clone() }, &reply(text));
        let each = done(
            Many::Read,
            r#"{"sessions":[{"ok":{"value":null,"served_by":"local"}},{"error":{"code":"timeout"}}]}"#,
        );
        let timeout = OperationError { code: "timeout".to_owned(), definite: false, text: String::new() };
        let nothing = Done { served_by: ServedBy::Local, saw: Saw::Value(None) };
        assert_eq!(each, Ok(vec![Ok(nothing), Err(timeout)]));
        let cleared = Done { served_by: ServedBy::Redis, saw: Saw::Done };
        assert_eq!(done(Many::Clear, "{}"), Ok(vec![Ok(cleared); 2]));
        for text in [
            r#"{"sessions":[]}"#,
            r#"{"sessions":[{"ok":{"value":null}}]}"#,
            r#"{"sessions":[{"ok":{"value":null}},{}]}"#,
            r#"{"sessions":[{"ok":{"value":null}},{"ok":{}}]}"#,
            "{}",
        ] {
            assert!(done(Many::Read, text).is_err(), "{text}");
        }
        assert!(done(Many::Clear, r#"{"sessions":[]}"#).is_err());
    }

    #[test]
    fn a_subject_must_name_itself_and_its_key() {
        let said = hello(&reply(
            "{\"name\":\"x 1\",\"key\":\"a:{session}\",\"can\":[\"ttl\"],\"ignored\":[\"pool\"]}",
        ));
        let said = said.unwrap();
        assert_eq!((said.can, said.ignored), (vec![Capability::Ttl], vec!["pool".to_owned()]));
        for (text, reason) in [
            ("{\"key\":\"a:{session}\"}", "missing field `name`"),
            ("{\"name\":\" \",\"key\":\"a:{session}\"}", "the name is empty"),
            ("{\"name\":\"x\",\"key\":\"a:{sesion}\"}", "must hold {session}"),
            ("{\"name\":\"x\",\"key\":\"{session}\",\"can\":[\"tll\"]}", "did you mean \"ttl\"?"),
            ("{\"name\":\"x\",\"key\":\"{session}\",\"can\":\"ttl\"}", "expected a sequence"),
        ] {
            let told = hello(&reply(text)).unwrap_err();
            assert!(told.contains(reason), "{text}: {told}");
        }
    }
}

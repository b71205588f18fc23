//! Reading what a subject says: strictly, so that a misspelt key is not taken for an absent one.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::message::{Line, Reply};

impl Line {
    /// Reads a line; the error says what is wrong with it.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
        if !text.trim_start().starts_with('{') {
            return Err("it is no JSON object; write logs to stderr".to_owned());
        }
        let form: Form = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        match (form.id, form.event) {
            (Some(_), None) => answer(text),
            (None, Some(_)) => serde_json::from_str(text).map(Self::Event).map_err(|error| error.to_string()),
            (Some(_), Some(_)) => Err("it has both an id and an event; an answer has only an id".to_owned()),
            (None, None) => Err("it has neither an id nor an event".to_owned()),
        }
    }
}

/// Reads an object and nothing else: serde would take an array for one too.
pub fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    if !raw.get().starts_with('{') {
        return Err("an object is expected".to_owned());
    }
    serde_json::from_str(raw.get()).map_err(|error| error.to_string())
}

/// Which of the two a line is.
#[derive(Deserialize)]
struct Form {
    #[serde(default, deserialize_with = "any")]
    id: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "any")]
    event: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    id: u64,
    ok: Option<Box<RawValue>>,
    error: Option<Box<RawValue>>,
}

fn answer(text: &str) -> Result<Line, String> {
    let Answer { id, ok, error } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let reply = match (ok, error) {
        (Some(ok), None) => Ok(Reply(ok)),
        (None, Some(error)) => Err(object(&error).map_err(|wrong| format!("in error: {wrong}"))?),
        (Some(_), Some(_)) => return Err("it has both ok and error; an answer has one of them".to_owned()),
        (None, None) => return Err("it has neither ok nor error; an answer has one of them".to_owned()),
    };
    Ok(Line::Answer { id, reply })
}

fn any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{BreakerState, Capability, ServedBy, SessionId};
    use crate::subject::process::message::*;

    fn wrong(line: &str) -> String {
        Line::read(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn answers_and_events_are_told_apart() {
        let ok = Line::read(br#"{"id":7,"ok":{"served_by":"local"}}"#).unwrap();
        let Line::Answer { id: 7, reply: Ok(reply) } = ok else { panic!("{ok:?}") };
        assert_eq!(object::<WriteReply>(&reply.0).unwrap().served_by, ServedBy::Local);
        let refusal = Refusal { code: "timeout".to_owned(), definite: false, text: String::new() };
        let error = Line::read(br#" {"error":{"code":"timeout"},"id":8} "#).unwrap();
        assert_eq!(error, Line::Answer { id: 8, reply: Err(refusal) });
        let event = Line::read(br#"{"event":"breaker","from":"half-open","to":"open"}"#).unwrap();
        let told = Told::Breaker { from: BreakerState::HalfOpen, to: BreakerState::Open };
        assert_eq!(event, Line::Event(told));
        assert_eq!(Line::read(br#"{"event":"ready"}"#).unwrap(), Line::Event(Told::Ready {}));
    }

    #[test]
    fn a_line_that_is_no_message_is_refused_with_the_reason() {
        for (line, reason) in [
            ("", "no JSON object"),
            ("hello", "write logs to stderr"),
            ("[1,2]", "no JSON object"),
            ("{\"id\":1,", "not JSON"),
            ("{}", "neither an id nor an event"),
            ("{\"id\":1,\"event\":\"ready\"}", "both an id and an event"),
            ("{\"id\":\"1\",\"ok\":{}}", "expected u64"),
            ("{\"id\":-1,\"ok\":{}}", "expected u64"),
            ("{\"id\":null,\"ok\":{}}", "expected u64"),
            ("{\"id\":1}", "neither ok nor error"),
            ("{\"id\":1,\"ok\":null}", "neither ok nor error"),
            ("{\"id\":1,\"ok\":{},\"error\":{\"code\":\"x\"}}", "both ok and error"),
            ("{\"id\":1,\"okay\":{}}", "unknown field `okay`"),
            ("{\"id\":1,\"error\":{\"definite\":true}}", "missing field `code`"),
            ("{\"id\":1,\"error\":[\"timeout\"]}", "an object is expected"),
            ("{\"id\":1,\"error\":{\"code\":\"x\",\"definit\":true}}", "unknown field `definit`"),
            ("{\"event\":\"braker\"}", "unknown variant `braker`"),
            ("{\"event\":\"breaker\",\"from\":\"closed\",\"to\":\"half_open\"}", "half-open"),
            ("{\"event\":\"breaker\",\"to\":\"open\"}", "missing field `from`"),
            ("{\"event\":\"mode\",\"to\":\"local\",\"why\":1}", "unknown field `why`"),
        ] {
            let told = wrong(line);
            assert!(told.contains(reason), "{line}: {told}");
        }
        assert!(Line::read(b"{\"id\":1,\"ok\":{\"\xff\":1}}").unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn what_an_ok_holds_is_read_strictly() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert!(object::<ValueReply>(&raw("{}")).unwrap_err().contains("missing field `value`"));
        assert_eq!(object::<ValueReply>(&raw("{\"value\":null}")).unwrap().value.get(), "null");
        assert!(object::<TtlReply>(&raw("{}")).unwrap_err().contains("missing field `ttl_ms`"));
        assert_eq!(object::<TtlReply>(&raw("{\"ttl_ms\":null}")).unwrap().ttl_ms, None);
        assert!(object::<TtlReply>(&raw("{\"ttl_ms\":-1}")).is_err());
        assert!(object::<WriteReply>(&raw("[\"redis\"]")).is_err());
        assert!(object::<WriteReply>(&raw("{\"served_by\":\"memory\"}")).is_err());
    }

    #[test]
    fn an_unknown_capability_is_refused_with_the_nearest() {
        let hello = |can: &str| {
            let text = format!("{{\"name\":\"x\",\"key\":\"k\",\"can\":[{can}]}}");
            serde_json::from_str::<HelloReply>(&text).unwrap().capabilities()
        };
        assert_eq!(hello("\"ttl\",\"fallback\""), Ok(vec![Capability::Ttl, Capability::Fallback]));
        assert_eq!(
            hello("\"brekaer\"").unwrap_err(),
            "unknown capability \"brekaer\"; did you mean \"breaker\"?"
        );
    }

    #[test]
    fn a_request_is_one_line_as_the_protocol_shows_it() {
        let value = RawValue::from_string("{\"w\":\"0-1\"}".to_owned()).unwrap();
        let op = Op::Create { session: SessionId(17), value: &value, ttl_ms: 600_000 };
        assert_eq!(
            Ask { id: 2, op }.line().unwrap(),
            "{\"id\":2,\"op\":\"create\",\"session\":\"s17\",\"value\":{\"w\":\"0-1\"},\"ttl_ms\":600000}\n"
        );
        let shutdown = Ask { id: 8, op: Op::Shutdown };
        assert_eq!(shutdown.line().unwrap(), "{\"id\":8,\"op\":\"shutdown\"}\n");
    }
}

//! The messages of the protocol, one JSON object a line. `docs/protocol.md` has them all with examples.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::history::{BreakerState, Capability, Mode, Resync, Sample, ServedBy, SessionId};
use crate::suggest;

/// What a subject is asked. The id comes back in the answer.
#[derive(Debug, Serialize)]
pub struct Ask<'a> {
    /// Names this request; no other of the same process has it.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub op: Op<'a>,
}

/// What to do.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op<'a> {
    /// Connect; the first message of all.
    Init {
        /// The instance's name, such as `instance-0`.
        instance: &'a str,
        /// Where Redis is, as `redis://HOST:PORT/DATABASE`.
        redis: &'a str,
        /// The `[client]` table with its profile resolved; durations are strings with units.
        settings: &'a serde_json::Value,
    },
    /// Make the session, or replace it.
    Create {
        /// The session.
        session: SessionId,
        /// Its value.
        value: &'a RawValue,
        /// How long it lives.
        ttl_ms: u64,
    },
    /// Read the value.
    Get {
        /// The session.
        session: SessionId,
    },
    /// Replace the value and keep the TTL.
    Update {
        /// The session.
        session: SessionId,
        /// Its new value.
        value: &'a RawValue,
    },
    /// Set a new TTL.
    Touch {
        /// The session.
        session: SessionId,
        /// How long it lives from now on.
        ttl_ms: u64,
    },
    /// End the session.
    Destroy {
        /// The session.
        session: SessionId,
    },
    /// Read what is left of the TTL.
    Ttl {
        /// The session.
        session: SessionId,
    },
    /// End the process.
    Shutdown,
}

impl Ask<'_> {
    /// The message as a line, with its end.
    pub fn line(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

/// A line from a subject: an answer, which has an `id`, or an event.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// An answer.
    Answer {
        /// The request that it answers.
        id: u64,
        /// What became of it; what an `ok` must hold depends on the request.
        reply: Result<Reply, Refusal>,
    },
    /// Something that happened.
    Event(Told),
}

/// The content of an `ok`, not yet read.
#[derive(Debug)]
pub struct Reply(pub Box<RawValue>);

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// The content of an `error`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What kind of error: `no-session`, `unavailable`, `timeout`, `reset`, `refused`, `overloaded`, `invalid`, `internal`,
    /// or another word of that form.
    pub code: String,
    /// Whether the operation surely did not happen and never will.
    #[serde(default)]
    pub definite: bool,
    /// In the subject's own words.
    #[serde(default)]
    pub text: String,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Told {
    /// The process gets ready, which takes a while: its interpreter starts, something is installed.
    Preparing {},
    /// The process is ready for `init`.
    Ready {},
    /// The breaker changed.
    Breaker {
        /// The state left.
        from: BreakerState,
        /// The state entered.
        to: BreakerState,
    },
    /// Who serves operations from now on.
    Mode {
        /// Who.
        to: Mode,
    },
    /// The resync started, finished or was interrupted.
    Resync {
        /// Which of them.
        what: ResyncStep,
        /// How many sessions there are to bring (started), were brought (finished), are left (interrupted).
        sessions: u64,
    },
    /// A measurement.
    Sample {
        /// Bytes that the local copy holds.
        local_bytes: Option<u64>,
        /// Sessions that the local copy holds.
        local_sessions: Option<u64>,
        /// Sessions that wait for the resync.
        dirty: Option<u64>,
    },
}

/// What a resync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncStep {
    /// It began.
    Started,
    /// Nothing is left to bring.
    Finished,
    /// It was cut short and will start again.
    Interrupted,
}

impl ResyncStep {
    /// The history's word for it.
    pub(super) fn of(self, sessions: u64) -> Resync {
        match self {
            Self::Started => Resync::Started { sessions },
            Self::Finished => Resync::Finished { sessions },
            Self::Interrupted => Resync::Interrupted { sessions },
        }
    }
}

/// What `init`'s `ok` holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelloReply {
    /// The subject's name and version.
    pub name: String,
    /// Where a session lies in Redis, with `{session}` for its name.
    pub key: String,
    /// What it can do.
    #[serde(default)]
    pub can: Vec<String>,
    /// Settings that it does not have.
    #[serde(default)]
    pub ignored: Vec<String>,
}

impl HelloReply {
    /// What it can do, or the word that is none of those known.
    pub fn capabilities(&self) -> Result<Vec<Capability>, String> {
        let names = CAPABILITIES.map(|(name, _)| name);
        let named = |name: &String| {
            let found = CAPABILITIES.into_iter().find(|(known, _)| known == name);
            found.map(|(_, can)| can).ok_or_else(|| suggest::unknown("capability", name, &names))
        };
        self.can.iter().map(named).collect()
    }
}

/// Every capability with its name.
pub const CAPABILITIES: [(&str, Capability); 5] = [
    ("fallback", Capability::Fallback),
    ("breaker", Capability::Breaker),
    ("resync", Capability::Resync),
    ("ttl", Capability::Ttl),
    ("samples", Capability::Samples),
];

/// What the `ok` of a create, an update, a touch or a destroy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteReply {
    /// Who acknowledged it; Redis, when absent.
    #[serde(default = "redis")]
    pub served_by: ServedBy,
}

/// What the `ok` of a get holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueReply {
    /// The value; null means surely no such session.
    #[serde(deserialize_with = "raw")]
    pub value: Box<RawValue>,
    /// Who answered; Redis, when absent.
    #[serde(default = "redis")]
    pub served_by: ServedBy,
}

/// What the `ok` of a ttl holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TtlReply {
    /// What is left; null means surely no such session.
    #[serde(deserialize_with = "present")]
    pub ttl_ms: Option<u64>,
    /// Who answered; Redis, when absent.
    #[serde(default = "redis")]
    pub served_by: ServedBy,
}

/// The measurement that an event carries.
pub(super) fn sample(told: Told) -> Option<Sample> {
    match told {
        Told::Sample { local_bytes, local_sessions, dirty } => {
            Some(Sample { local_bytes, local_sessions, dirty, ..Sample::default() })
        }
        Told::Preparing {}
        | Told::Ready {}
        | Told::Breaker { .. }
        | Told::Mode { .. }
        | Told::Resync { .. } => None,
    }
}

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

fn redis() -> ServedBy {
    ServedBy::Redis
}

/// Null is a value, and absence is not null.
fn raw<'de, D: Deserializer<'de>>(from: D) -> Result<Box<RawValue>, D::Error> {
    Box::<RawValue>::deserialize(from)
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Option::<u64>::deserialize(from)
}

fn any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! What an answer over HTTP says, going by what docs/http.md promises of each status code, and by nothing else.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::super::interface::Reply;
use super::super::kept::Kept;
use super::asked::Answer;
use crate::history::{Saw, ServedBy, ValueSeen};
use crate::load::value;
use crate::subject::{Done, OperationError};

/// What is known about a session.
#[derive(Deserialize)]
pub(super) struct Seen {
    message_count: u64,
    message_sequence: u64,
    remaining_ttl_seconds: f64,
    pub(super) served_by: ServedBy,
    #[serde(default)]
    data: Value,
}

impl Seen {
    /// What an answer with the status 200 to a read says.
    pub(super) fn of(answer: &Answer) -> Result<Self, OperationError> {
        Self::deserialize(&answer.body)
            .map_err(|_| broken(answer, "it must be what is known about a session"))
    }

    /// Its value.
    pub(super) fn value(self) -> ValueSeen {
        match Kept::deserialize(&self.data) {
            Ok(kept) => kept.seen(self.message_count, self.message_sequence),
            Err(_) => value::seen(b""),
        }
    }

    /// What is left of its TTL.
    pub(super) fn left(self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.remaining_ttl_seconds).ok()
    }
}

/// What an answer to a write says. The status says who has it, and the body must not say otherwise.
pub(super) fn taken(answer: Answer) -> Reply {
    let served_by = match answer.status {
        200 => ServedBy::Redis,
        202 => ServedBy::Local,
        _ => return Err(problem(&answer)),
    };
    match ServedBy::deserialize(&answer.body["served_by"]) {
        Ok(said) if said == served_by => Ok(Done { served_by, saw: Saw::Done }),
        Ok(_) | Err(_) => Err(broken(&answer, "status and served_by must agree")),
    }
}

/// What an answer says that is none.
pub(super) fn problem(answer: &Answer) -> OperationError {
    let (code, definite) = match (answer.status, answer.kind()) {
        (404, "no-session") => ("no-session", true),
        (503, "unavailable") => ("unavailable", true),
        (503 | 507, "overloaded" | "full") => ("overloaded", true),
        (504, "uncertain") => ("timeout", false),
        (502, "refused") => ("internal", true),
        (400 | 408 | 413 | 415 | 500, kind) if !kind.is_empty() => ("invalid", true),
        _ => return broken(answer, "docs/http.md has no such answer"),
    };
    let message = answer.body["error"]["message"].as_str().unwrap_or_default();
    let text = format!("{} {}: {message}", answer.status, answer.kind());
    OperationError { code: code.to_owned(), definite, text }
}

/// The answer is not what it must be, and nobody knows what happened.
pub(super) fn broken(answer: &Answer, why: &str) -> OperationError {
    let text = format!("an answer with the status {}, and {why}: {}", answer.status, answer.body);
    OperationError { code: "internal".to_owned(), definite: false, text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: Value) -> Answer {
        Answer { status, body }
    }

    fn error(status: u16, kind: &str) -> (String, bool) {
        let told = problem(&answer(status, json!({ "error": { "kind": kind, "message": "because" } })));
        (told.code, told.definite)
    }

    #[test]
    fn only_what_may_have_happened_is_not_definite() {
        let definite = [
            (404, "no-session"),
            (503, "unavailable"),
            (507, "full"),
            (502, "refused"),
            (400, "bad-request"),
        ];
        for (status, kind) in definite {
            assert!(error(status, kind).1, "{status}");
        }
        assert_eq!(error(504, "uncertain"), ("timeout".to_owned(), false));
    }

    #[test]
    fn what_the_document_does_not_have_is_no_answer() {
        for (status, kind) in [(404, ""), (503, "no-session"), (500, ""), (418, "teapot"), (200, "")] {
            assert_eq!(error(status, kind), ("internal".to_owned(), false), "{status} {kind}");
        }
    }

    #[test]
    fn a_status_that_says_otherwise_than_its_body_is_no_acknowledgement() {
        let took = |status, by: &str| taken(answer(status, json!({ "served_by": by })));
        assert_eq!(took(200, "redis").unwrap().served_by, ServedBy::Redis);
        assert_eq!(took(202, "local").unwrap().served_by, ServedBy::Local);
        for (status, by) in [(200, "local"), (202, "redis"), (200, "nobody")] {
            assert_eq!(took(status, by).unwrap_err().code, "internal");
        }
    }

    #[test]
    fn data_of_another_form_are_damage() {
        let body = |data: Value| json!({ "message_count": 0, "message_sequence": 0, "remaining_ttl_seconds": 1.5, "served_by": "redis", "data": data });
        let nobodys = ValueSeen { write: None, session: None, intact: false };
        for data in [Value::Null, json!({}), json!({ "value": 1, "message": 0 })] {
            let seen = Seen::of(&answer(200, body(data))).ok().unwrap();
            assert_eq!(seen.value(), nobodys);
        }
        let seen = Seen::of(&answer(200, body(Value::Null))).ok().unwrap();
        assert_eq!(seen.left(), Some(Duration::from_millis(1500)));
        assert!(Seen::of(&answer(200, json!({}))).is_err());
    }
}

//! Several sessions with one request. `clear` is not tried: the Redis of a check may be somebody's own, with sessions in it.

use serde_json::{Value, json};

use super::super::{Stage, Tried};
use super::{create, session, started, tidied, value_of};
use crate::subject::process::message::{OneOfMany, ValuesReply, WriteReply};

/// Reads several sessions, one of which there is not, not in the order in which they were made.
pub(super) async fn read_many(stage: &Stage) -> Tried {
    let (mut talk, _) = started(stage).await?;
    let (one, other) = (session(60), session(61));
    let (first, second) = (value_of(60, one, 100), value_of(61, other, 100));
    for (session, value) in [(one, &first), (other, &second)] {
        let _: WriteReply = talk.ok(create(session, value)).await?;
    }
    let asked = json!({"op": "read_many", "sessions": [other, session(62), one]});
    let told: ValuesReply = talk.ok(asked).await?;
    let values: Vec<Option<Value>> = told.sessions.iter().map(value).collect();
    if values != [Some(second), Some(Value::Null), Some(first)] {
        return Err(
            talk.fails(&format!("the values of {other} and {one} at their places, and null between them"))
        );
    }
    tidied(talk, [one, other]).await
}

fn value(one: &OneOfMany) -> Option<Value> {
    match one {
        OneOfMany::Ok(ok) => serde_json::from_str(ok.value.get()).ok(),
        OneOfMany::Error(_) => None,
    }
}

//! What a real server holds under a key, of whatever type it is: to see whether values lie there in plain.

use redis::{Cmd, Value, cmd};

use super::WorldError;
use super::orders::Ask;

/// The bytes under `key`, one thing after the other; `None` when there is no such key, or its type is one that is not known.
pub(super) async fn of(server: &impl Ask, key: &str) -> Result<Option<Vec<u8>>, WorldError> {
    let kind: String = server.ask(cmd("TYPE").arg(key)).await?;
    let Some(command) = reading(&kind, key) else { return Ok(None) };
    let held: Value = server.ask(&command).await?;
    let mut content = Vec::new();
    add(&held, &mut content);
    // A key may end between the two questions.
    Ok((!content.is_empty()).then_some(content))
}

/// The command that reads all of a key of this type.
fn reading(kind: &str, key: &str) -> Option<Cmd> {
    let (name, rest): (_, &[&str]) = match kind {
        "string" => ("GET", &[]),
        "hash" => ("HGETALL", &[]),
        "set" => ("SMEMBERS", &[]),
        "zset" => ("ZRANGE", &["0", "-1"]),
        "list" => ("LRANGE", &["0", "-1"]),
        "stream" => ("XRANGE", &["-", "+"]),
        "ReJSON-RL" => ("JSON.GET", &[]),
        _ => return None,
    };
    let mut command = cmd(name);
    command.arg(key).arg(rest);
    Some(command)
}

/// Adds every string in a reply.
fn add(reply: &Value, content: &mut Vec<u8>) {
    match reply {
        Value::BulkString(bytes) => content.extend_from_slice(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => {
            content.extend_from_slice(text.as_bytes());
        }
        Value::Array(parts) | Value::Set(parts) => parts.iter().for_each(|part| add(part, content)),
        Value::Map(pairs) => pairs.iter().for_each(|(field, value)| {
            add(field, content);
            add(value, content);
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn every_string_of_a_reply_counts_however_deep_it_lies() {
        let fields = Value::Map(vec![(text("f"), text("v"))]);
        let reply = Value::Array(vec![text("1-0"), Value::Nil, Value::Int(7), fields]);
        let mut content = Vec::new();
        add(&reply, &mut content);
        assert_eq!(content, b"1-0fv");
    }

    #[test]
    fn a_type_that_is_not_known_is_not_read() {
        let packed = |kind| reading(kind, "k").map(|command| command.get_packed_command());
        assert_eq!(packed("string").unwrap(), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
        assert_eq!(packed("list").unwrap(), b"*4\r\n$6\r\nLRANGE\r\n$1\r\nk\r\n$1\r\n0\r\n$2\r\n-1\r\n");
        assert_eq!((packed("none"), packed("vectorset")), (None, None));
    }
}

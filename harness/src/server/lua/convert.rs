//! Replies as Lua values, Lua values as replies, and errors as texts.

use std::fmt;

use mlua::{Lua, LuaString, Table, Value};

use super::super::call::{Outcome, Refusal};
use super::super::number::{float_text, float_text_17};
use super::super::reply::Reply;

/// How deep lists may lie in each other.
const DEPTH_MAX: usize = 128;

/// An error that a command gave, raised in a script.
#[derive(Clone, Debug)]
pub(crate) struct Raised(pub(crate) Refusal);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0.0))
    }
}

impl std::error::Error for Raised {}

/// A reply as the script sees it.
pub(crate) fn to_lua(lua: &Lua, reply: Reply, resp3: bool) -> mlua::Result<Value> {
    Ok(match reply {
        // Lua's numbers are doubles: large integers lose digits, as they do in Redis.
        Reply::Int(value) => Value::Number(value as f64),
        Reply::Bulk(bytes) => Value::String(lua.create_string(bytes)?),
        Reply::Status(text) => Value::Table(field(lua, "ok", &text)?),
        Reply::Error(text) => Value::Table(field(lua, "err", &text)?),
        Reply::Null | Reply::NullArray if resp3 => Value::Nil,
        Reply::Null | Reply::NullArray => Value::Boolean(false),
        Reply::Array(items) | Reply::Push(items) | Reply::Several(items) => list(lua, items, resp3)?,
        Reply::Set(items) if resp3 => {
            let members = lua.create_table()?;
            for item in items {
                members.raw_set(to_lua(lua, item, resp3)?, true)?;
            }
            nested(lua, "set", members)?
        }
        Reply::Set(items) => list(lua, items, resp3)?,
        Reply::Map(pairs) if resp3 => {
            let map = lua.create_table()?;
            for (key, value) in pairs {
                map.raw_set(to_lua(lua, key, resp3)?, to_lua(lua, value, resp3)?)?;
            }
            nested(lua, "map", map)?
        }
        Reply::Map(pairs) => {
            list(lua, pairs.into_iter().flat_map(|(key, value)| [key, value]).collect(), resp3)?
        }
        Reply::Double(value) if resp3 => {
            let table = lua.create_table()?;
            table.raw_set("double", value)?;
            Value::Table(table)
        }
        Reply::Double(value) => Value::String(lua.create_string(float_text(value))?),
        Reply::Bool(value) if resp3 => Value::Boolean(value),
        Reply::Bool(value) => Value::Number(f64::from(u8::from(value))),
        Reply::Verbatim(text) => Value::String(lua.create_string(text)?),
    })
}

/// A table of one field, as errors and statuses are.
pub(crate) fn field(lua: &Lua, name: &str, text: &[u8]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, lua.create_string(text)?)?;
    Ok(table)
}

fn nested(lua: &Lua, name: &str, inner: Table) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    table.raw_set(name, inner)?;
    Ok(Value::Table(table))
}

fn list(lua: &Lua, items: Vec<Reply>, resp3: bool) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(items.len(), 0)?;
    for (index, item) in items.into_iter().enumerate() {
        table.raw_set(index + 1, to_lua(lua, item, resp3)?)?;
    }
    Ok(Value::Table(table))
}

/// Reads what scripts return.
#[derive(Debug)]
pub(crate) struct Replies {
    /// The fields that say what a table is, made once: a script that returns a list is asked for every one.
    fields: [LuaString; 5],
}

impl Replies {
    pub(crate) fn new(lua: &Lua) -> mlua::Result<Self> {
        let [err, ok, double, map, set] =
            ["err", "ok", "double", "map", "set"].map(|name| lua.create_string(name));
        Ok(Self { fields: [err?, ok?, double?, map?, set?] })
    }

    /// What a script returned, as a reply. One that chose RESP3 can give booleans.
    pub(crate) fn read(&self, value: &Value, resp3: bool) -> Outcome {
        reply_at(&self.fields, value, resp3, 0)
    }
}

fn reply_at(fields: &[LuaString; 5], value: &Value, resp3: bool, depth: usize) -> Outcome {
    if depth > DEPTH_MAX {
        return Err("ERR reached lua stack limit".into());
    }
    Ok(match value {
        Value::String(text) => Reply::Bulk(text.as_bytes().to_vec()),
        Value::Integer(value) => Reply::Int(*value),
        Value::Number(value) => Reply::Int(cut(*value)),
        Value::Boolean(value) if resp3 => Reply::Bool(*value),
        Value::Boolean(true) => Reply::Int(1),
        Value::Table(table) => return table_reply(fields, table, resp3, depth),
        _ => Reply::Null,
    })
}

/// A number without its fraction. What does not fit becomes the smallest number, as it does in C on the usual machines.
fn cut(value: f64) -> i64 {
    let limit = 9_223_372_036_854_775_808.0;
    if (-limit..limit).contains(&value) { value as i64 } else { i64::MIN }
}

fn table_reply(fields: &[LuaString; 5], table: &Table, resp3: bool, depth: usize) -> Outcome {
    let [err, ok, double, map, set] = fields;
    let get = |field: &LuaString| table.raw_get::<Value>(field).unwrap_or(Value::Nil);
    if let Value::String(text) = get(err) {
        return Ok(Reply::error(text.as_bytes().to_vec()));
    }
    if let Value::String(text) = get(ok) {
        let text: Vec<u8> = text.as_bytes().to_vec();
        let line = |byte: u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte };
        return Ok(Reply::Status(text.into_iter().map(line).collect()));
    }
    match get(double) {
        Value::Number(value) => return Ok(Reply::Double(value)),
        Value::Integer(value) => return Ok(Reply::Double(value as f64)),
        _ => {}
    }
    if let Value::Table(map) = get(map) {
        let mut pairs = Vec::new();
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair.map_err(|error| Refusal::from(error_text(&error)))?;
            pairs.push((
                reply_at(fields, &key, resp3, depth + 1)?,
                reply_at(fields, &value, resp3, depth + 1)?,
            ));
        }
        return Ok(Reply::Map(pairs));
    }
    if let Value::Table(set) = get(set) {
        let mut members = Vec::new();
        for pair in set.pairs::<Value, Value>() {
            let (member, _) = pair.map_err(|error| Refusal::from(error_text(&error)))?;
            members.push(reply_at(fields, &member, resp3, depth + 1)?);
        }
        return Ok(Reply::Set(members));
    }
    let mut items = Vec::with_capacity(table.raw_len());
    loop {
        // A list ends at its first nil.
        match table.raw_get::<Value>(items.len() + 1) {
            Ok(Value::Nil) | Err(_) => return Ok(Reply::Array(items)),
            Ok(item) => items.push(reply_at(fields, &item, resp3, depth + 1)?),
        }
    }
}

/// What a script passes to a command: strings, and numbers as `%.17g`.
pub(crate) fn argument(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(value) => Some(float_text_17(*value as f64).into_bytes()),
        Value::Number(value) => Some(float_text_17(*value).into_bytes()),
        _ => None,
    }
}

/// The error that a script ended with, as told by the sandbox: its text, and where it arose.
pub(crate) fn blame(blamed: &Value, sha: &str) -> Refusal {
    let table = match blamed {
        Value::Table(table) => table,
        // Without memory, or with the stack full, the sandbox's own handler cannot run.
        Value::String(text) => return [b"ERR ", &text.as_bytes()[..]].concat().into(),
        Value::Error(error) => return format!("ERR {}", error_text(error)).into(),
        _ => return "ERR unknown error in script".into(),
    };
    let get = |name: &str| match table.raw_get(name) {
        Ok(Value::String(text)) => text.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    let mut text = get("err");
    if text.is_empty() {
        text = b"ERR unknown error".to_vec();
    }
    text.extend_from_slice(format!(" script: {sha}").as_bytes());
    if let (source, Ok(line)) = (get("source"), table.raw_get::<i64>("line")) {
        text.extend_from_slice(b", on ");
        text.extend_from_slice(&source);
        text.extend_from_slice(format!(":{line}.").as_bytes());
    }
    text.into()
}

/// The text of an error in Lua, without the stack.
pub(crate) fn error_text(error: &mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::RuntimeError(message) => message.clone(),
        mlua::Error::CallbackError { cause, .. } => error_text(cause),
        mlua::Error::MemoryError(_) => "not enough memory".to_owned(),
        other => match other.downcast_ref::<Raised>() {
            Some(raised) => raised.to_string(),
            None => other.to_string(),
        },
    }
}

/// The error of a command inside an error in Lua, if it is one.
pub(crate) fn raised(error: &mlua::Error) -> Option<&Refusal> {
    match error {
        mlua::Error::CallbackError { cause, .. } => raised(cause),
        other => other.downcast_ref::<Raised>().map(|raised| &raised.0),
    }
}

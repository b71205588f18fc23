//! `cjson`: tables to JSON and back.

use mlua::{Lua, LuaString, Table, Value};

use super::super::number::float_text_14;

/// How deep tables may lie in each other, as in Redis.
const DEPTH_MAX: usize = 1000;

/// `cjson.encode`.
pub(crate) fn encode(lua: &Lua, value: &Value) -> mlua::Result<LuaString> {
    let mut out = Vec::new();
    write(value, &mut out, 0)?;
    lua.create_string(out)
}

/// `cjson.decode`.
pub(crate) fn decode(lua: &Lua, text: &[u8]) -> mlua::Result<Value> {
    let parsed: serde_json::Value = serde_json::from_slice(text)
        .map_err(|error| mlua::Error::runtime(format!("invalid JSON: {error}")))?;
    read(lua, parsed)
}

fn write(value: &Value, out: &mut Vec<u8>, depth: usize) -> mlua::Result<()> {
    if depth > DEPTH_MAX {
        return Err(mlua::Error::runtime("Cannot serialise, excessive depth (1001)"));
    }
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        value if *value == Value::NULL => out.extend_from_slice(b"null"),
        Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Integer(value) => out.extend_from_slice(float_text_14(*value as f64).as_bytes()),
        Value::Number(value) if !value.is_finite() => {
            return Err(mlua::Error::runtime("Cannot serialise number: must not be NaN or Inf"));
        }
        Value::Number(value) => out.extend_from_slice(float_text_14(*value).as_bytes()),
        Value::String(text) => quote(&text.as_bytes(), out),
        Value::Table(table) => write_table(table, out, depth)?,
        other => {
            return Err(mlua::Error::runtime(format!(
                "Cannot serialise {}: type not supported",
                other.type_name()
            )));
        }
    }
    Ok(())
}

/// A table whose keys are 1 to n is a list, every other one an object; an empty one is an object.
fn write_table(table: &Table, out: &mut Vec<u8>, depth: usize) -> mlua::Result<()> {
    let length = table.raw_len();
    let mut count = 0;
    for pair in table.pairs::<Value, Value>() {
        pair?;
        count += 1;
    }
    if count > 0 && count == length {
        out.push(b'[');
        for index in 1..=length {
            if index > 1 {
                out.push(b',');
            }
            write(&table.raw_get(index)?, out, depth + 1)?;
        }
        out.push(b']');
        return Ok(());
    }
    out.push(b'{');
    for (index, pair) in table.pairs::<Value, Value>().enumerate() {
        let (key, value) = pair?;
        if index > 0 {
            out.push(b',');
        }
        match &key {
            Value::String(text) => quote(&text.as_bytes(), out),
            Value::Integer(number) => quote(number.to_string().as_bytes(), out),
            Value::Number(number) => quote(float_text_14(*number).as_bytes(), out),
            _ => {
                return Err(mlua::Error::runtime(
                    "Cannot serialise table: table key must be a number or string",
                ));
            }
        }
        out.push(b':');
        write(&value, out, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'/' => out.extend_from_slice(b"\\/"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..32 | 127 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(*other),
        }
    }
    out.push(b'"');
}

fn read(lua: &Lua, value: serde_json::Value) -> mlua::Result<Value> {
    Ok(match value {
        serde_json::Value::Null => Value::NULL,
        serde_json::Value::Bool(value) => Value::Boolean(value),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(0.0)),
        serde_json::Value::String(text) => Value::String(lua.create_string(text)?),
        serde_json::Value::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.into_iter().enumerate() {
                table.raw_set(index + 1, read(lua, item)?)?;
            }
            Value::Table(table)
        }
        serde_json::Value::Object(fields) => {
            let table = lua.create_table_with_capacity(0, fields.len())?;
            for (name, value) in fields {
                table.raw_set(lua.create_string(name)?, read(lua, value)?)?;
            }
            Value::Table(table)
        }
    })
}

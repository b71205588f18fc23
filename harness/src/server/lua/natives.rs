//! The functions that the sandbox needs of the server.

use mlua::{Function, Lua, MultiValue, Table, Value, Variadic};

use super::super::call::Refusal;
use super::super::reply::Reply;
use super::super::script::sha1_hex;
use super::convert::{self, Raised};
use super::running::Slot;
use super::{bits, json, limit};

/// All of them, by name.
pub(crate) fn table(lua: &Lua, slot: &Slot, version: &str) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.set("call", call(lua, slot, true)?)?;
    table.set("pcall", call(lua, slot, false)?)?;
    table.set("readable", lua.create_function(|lua, error: Value| readable(lua, error))?)?;
    table.set("blame", lua.create_function(|lua, error: Value| blame(lua, error))?)?;
    table.set("sha1hex", lua.create_function(|_, text: mlua::LuaString| Ok(sha1_hex(&text.as_bytes())))?)?;
    table.set("error_reply", reply_maker(lua, "err")?)?;
    table.set("status_reply", reply_maker(lua, "ok")?)?;
    table.set("setresp", setresp(lua, slot)?)?;
    table.set("random", random(lua, slot)?)?;
    table.set("randomseed", randomseed(lua, slot)?)?;
    table.set("version", version)?;
    let number = version.split('.').fold(0, |number, part| number << 8 | part.parse().unwrap_or(0));
    table.set("version_number", number)?;
    table.set("encode", lua.create_function(|lua, value: Value| json::encode(lua, &value))?)?;
    table.set(
        "decode",
        lua.create_function(|lua, text: mlua::LuaString| json::decode(lua, &text.as_bytes()))?,
    )?;
    table.set("null", Value::NULL)?;
    table.set("bit", bits::table(lua)?)?;
    guards(lua, &table)?;
    Ok(table)
}

/// `rawset` and `setmetatable`, which leave the tables alone that the sandbox seals.
fn guards(lua: &Lua, natives: &Table) -> mlua::Result<()> {
    let sealed = lua.create_table()?;
    let weak = lua.create_table()?;
    weak.set("__mode", "k")?;
    sealed.set_metatable(Some(weak))?;
    natives.set("sealed", &sealed)?;
    let check = move |table: &Table| match sealed.raw_get(table)? {
        Value::Nil => Ok(()),
        _ => Err(error("ERR Attempt to modify a readonly table")),
    };
    let check_raw = check.clone();
    let rawset = lua.create_function(move |_, (table, key, value): (Table, Value, Value)| {
        check_raw(&table)?;
        table.raw_set(key, value)?;
        Ok(table)
    })?;
    natives.set("rawset", rawset)?;
    let original: Function = lua.globals().get("setmetatable")?;
    let setmetatable = lua.create_function(move |_, (table, meta): (Table, Value)| {
        check(&table)?;
        original.call::<Value>((table, meta))
    })?;
    natives.set("setmetatable", setmetatable)
}

fn error(text: &'static str) -> mlua::Error {
    mlua::Error::external(Raised(Refusal::from(text)))
}

/// `redis.call`, which raises errors, or `redis.pcall`, which returns them.
fn call(lua: &Lua, slot: &Slot, raises: bool) -> mlua::Result<Function> {
    let slot = slot.clone();
    lua.create_function(move |lua, arguments: MultiValue| {
        let fail = |text: &'static str| {
            if raises {
                Err(error(text))
            } else {
                convert::field(lua, "err", text.as_bytes()).map(Value::Table)
            }
        };
        if arguments.is_empty() {
            return fail("ERR Please specify at least one argument for this redis lib call");
        }
        let Some(argv) = arguments.iter().map(convert::argument).collect::<Option<Vec<_>>>() else {
            return fail("ERR Lua redis lib command arguments must be strings or integers");
        };
        let argv: Vec<&[u8]> = argv.iter().map(|argument| &argument[..]).collect();
        let mut running = slot.lock();
        let Some(running) = running.as_mut() else { return fail("ERR no script is running") };
        match running.call(&argv) {
            Reply::Error(text) if raises => Err(mlua::Error::external(Raised(Refusal(text)))),
            reply => limit::lifted(lua, || convert::to_lua(lua, reply, running.resp3)),
        }
    })
}

/// What `pcall` gives in a script: the text of an error that a command raised.
fn readable(lua: &Lua, error: Value) -> mlua::Result<Value> {
    Ok(match error {
        Value::Error(error) => match convert::raised(&error) {
            Some(refusal) => Value::String(lua.create_string(&refusal.0)?),
            None => Value::String(lua.create_string(convert::error_text(&error))?),
        },
        Value::Table(table) => match table.raw_get::<Value>("err")? {
            text @ Value::String(_) => text,
            _ => Value::Table(table),
        },
        other => other,
    })
}

/// What became of a script that failed: the error's text, and the line of the script.
fn blame(lua: &Lua, error: Value) -> mlua::Result<Value> {
    let table = match error {
        Value::Table(table) => table,
        Value::Error(error) => match convert::raised(&error) {
            Some(refusal) => convert::field(lua, "err", &refusal.0)?,
            None => convert::field(lua, "err", format!("ERR {}", convert::error_text(&error)).as_bytes())?,
        },
        Value::String(text) => convert::field(lua, "err", &[b"ERR ", &text.as_bytes()[..]].concat())?,
        other => convert::field(lua, "err", format!("ERR {}", other.to_string()?).as_bytes())?,
    };
    let line_at = |level| {
        lua.inspect_stack(level, |frame| {
            let ours = frame.source().source.is_some_and(|source| source == "@user_script");
            ours.then(|| frame.current_line()).flatten()
        })
    };
    let found = (1..100).map_while(line_at).flatten().next();
    if let Some(line) = found {
        table.raw_set("source", "@user_script")?;
        table.raw_set("line", line)?;
    }
    Ok(Value::Table(table))
}

/// `redis.error_reply` or `redis.status_reply`.
fn reply_maker(lua: &Lua, name: &'static str) -> mlua::Result<Function> {
    lua.create_function(move |lua, arguments: Variadic<Value>| {
        let [Value::String(text)] = &arguments[..] else {
            return convert::field(lua, "err", b"ERR wrong number or type of arguments");
        };
        let mut text = text.as_bytes().to_vec();
        if name == "err" {
            // The dash is the protocol's; a text of one word has no code.
            if text.first() == Some(&b'-') {
                text.remove(0);
            }
            if !text.contains(&b' ') {
                text.splice(0..0, *b"ERR ");
            }
        }
        convert::field(lua, name, &text)
    })
}

fn setresp(lua: &Lua, slot: &Slot) -> mlua::Result<Function> {
    let slot = slot.clone();
    lua.create_function(move |_, version: i64| {
        if version != 2 && version != 3 {
            return Err(error("ERR RESP version must be 2 or 3."));
        }
        if let Some(running) = slot.lock().as_mut() {
            running.resp3 = version == 3;
        }
        Ok(())
    })
}

/// `math.random`, from the server's seed.
fn random(lua: &Lua, slot: &Slot) -> mlua::Result<Function> {
    let slot = slot.clone();
    lua.create_function(move |_, bounds: Variadic<f64>| {
        let mut running = slot.lock();
        let drawn = running.as_mut().map_or(0, |running| running.state.random.next());
        // 53 bits make a double between 0 and 1.
        let share = (drawn >> 11) as f64 / (1u64 << 53) as f64;
        let (low, high) = match bounds[..] {
            [] => return Ok(share),
            [high] => (1.0, high),
            [low, high] => (low, high),
            _ => return Err(mlua::Error::runtime("wrong number of arguments")),
        };
        if low > high {
            return Err(mlua::Error::runtime("bad argument to 'random' (interval is empty)"));
        }
        Ok((low + share * (high - low + 1.0)).floor())
    })
}

fn randomseed(lua: &Lua, slot: &Slot) -> mlua::Result<Function> {
    let slot = slot.clone();
    lua.create_function(move |_, seed: f64| {
        if let Some(running) = slot.lock().as_mut() {
            running.state.random = super::super::random::Random::new(seed.to_bits());
        }
        Ok(())
    })
}

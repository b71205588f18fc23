//! The `bit` library: operations on 32 bits, as scripts know it from LuaJIT.

use mlua::{Lua, Table, Variadic};

/// A number's lowest 32 bits.
fn bits(value: f64) -> u32 {
    // Modulo 2^32, whatever the size and sign.
    value.rem_euclid(4_294_967_296.0) as u32
}

fn number(bits: u32) -> f64 {
    f64::from(bits.cast_signed())
}

/// All of its functions, by name.
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let fold = |operation: fn(u32, u32) -> u32| {
        lua.create_function(move |_, values: Variadic<f64>| {
            let all = values.iter().map(|value| bits(*value)).reduce(operation);
            all.map(number).ok_or_else(|| mlua::Error::runtime("number expected, got no value"))
        })
    };
    table.set("band", fold(|a, b| a & b)?)?;
    table.set("bor", fold(|a, b| a | b)?)?;
    table.set("bxor", fold(|a, b| a ^ b)?)?;
    let one = |operation: fn(u32) -> u32| {
        lua.create_function(move |_, value: f64| Ok(number(operation(bits(value)))))
    };
    table.set("tobit", one(|value| value)?)?;
    table.set("bnot", one(|value| !value)?)?;
    table.set("bswap", one(u32::swap_bytes)?)?;
    let shift = |operation: fn(u32, u32) -> u32| {
        lua.create_function(move |_, (value, by): (f64, f64)| {
            Ok(number(operation(bits(value), bits(by) & 31)))
        })
    };
    table.set("lshift", shift(|value, by| value << by)?)?;
    table.set("rshift", shift(|value, by| value >> by)?)?;
    table.set("arshift", shift(|value, by| (value.cast_signed() >> by).cast_unsigned())?)?;
    table.set("rol", shift(u32::rotate_left)?)?;
    table.set("ror", shift(u32::rotate_right)?)?;
    let tohex = lua.create_function(|_, (value, digits): (f64, Option<f64>)| {
        let digits = digits.unwrap_or(8.0);
        let text = format!("{:08x}", bits(value));
        let text = if digits < 0.0 { text.to_uppercase() } else { text };
        let count = (digits.abs() as usize).min(8);
        Ok(text[8 - count..].to_owned())
    })?;
    table.set("tohex", tohex)?;
    Ok(table)
}

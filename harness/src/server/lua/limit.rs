//! How much memory scripts may take: one call of `string.rep` shows why there is a limit.
//!
//! Under a limit every string that is handed to a script costs a protected call, which is more than the string itself. What the
//! server hands over is bounded by what it holds, so for that the limit is lifted; the script's own next step meets it again.

use mlua::Lua;

/// The memory that scripts may take in all.
const MEMORY_MAX: usize = 512 << 20;

/// Sets the limit.
pub(super) fn set(lua: &Lua) -> mlua::Result<()> {
    lua.set_memory_limit(MEMORY_MAX).map(drop)
}

/// Does something without the limit.
pub(super) fn lifted<T>(lua: &Lua, act: impl FnOnce() -> T) -> T {
    // The interpreter is our own, so its memory can be limited: neither call fails.
    let _ = lua.set_memory_limit(0);
    let done = act();
    let _ = set(lua);
    done
}

-- Makes the world in which scripts run: standard functions without those that reach outside, read-only, and the same in
-- every run. Called once with the functions that the server provides; returns the environment, the table in which KEYS and
-- ARGV are set, and the function that runs a script.

local native = ...
local raw_pcall, raw_xpcall, raw_rawset, raw_setmetatable, raw_error = pcall, xpcall, rawset, setmetatable, error
local sealed = raw_setmetatable({}, { __mode = 'k' })

local function refuse()
  raw_error('Attempt to modify a readonly table', 2)
end

-- A table that can be read through, and not changed.
local function seal(table)
  local proxy = raw_setmetatable({}, { __index = table, __newindex = refuse, __metatable = false })
  sealed[proxy] = true
  return proxy
end

local function settle(ok, ...)
  if ok then return true, ... end
  return false, native.readable((...))
end

-- math.random would be the C library's, whose state is the whole process's.
local mathematics = {}
for name, value in pairs(math) do mathematics[name] = value end
mathematics.random, mathematics.randomseed = native.random, native.randomseed

local redis = {
  call = native.call, pcall = native.pcall, sha1hex = native.sha1hex, setresp = native.setresp,
  error_reply = native.error_reply, status_reply = native.status_reply,
  log = function() end, replicate_commands = function() return true end, set_repl = function() end,
  breakpoint = function() return false end, debug = function() end,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
  REDIS_VERSION = native.version, REDIS_VERSION_NUM = native.version_number,
}

local base = {
  _VERSION = _VERSION, assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, rawequal = rawequal,
  rawget = rawget, select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
  getmetatable = getmetatable,
  pcall = function(...) return settle(raw_pcall(...)) end,
  xpcall = function(f, handler)
    return raw_xpcall(f, function(e) return handler(native.readable(e)) end)
  end,
  rawset = function(table, key, value)
    if sealed[table] then refuse() end
    return raw_rawset(table, key, value)
  end,
  setmetatable = function(table, meta)
    if sealed[table] then refuse() end
    return raw_setmetatable(table, meta)
  end,
  string = seal(string), table = seal(table), math = seal(mathematics), redis = seal(redis),
  cjson = seal({ encode = native.encode, decode = native.decode, null = native.null }),
  bit = seal(native.bit),
}
raw_setmetatable(base, { __index = function(_, name)
  raw_error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end })
getmetatable('').__metatable = false
string.dump = nil

local environment = seal(base)
base._G = environment

return environment, base, function(f) return raw_xpcall(f, native.blame) end

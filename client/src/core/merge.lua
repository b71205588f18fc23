-- Merges what a client knows of a session into what Redis knows, atomically: the newer of each fact survives.
-- KEYS: the session's key, its side key.
-- ARGV: the client's record (header and payload), its destruction's version, how long to remember a destruction in ms.
-- Returns: verdict ('live', 'dead' or 'expired'), whether anything was written, the destruction with the newest expiry in the
-- form of the side key, and for 'live' the record as it now is: its header alone when the payload is the client's own.
local HEADER, NEVER = 94, string.rep('0', 24)

local function facts(record)
  return {
    created = string.sub(record, 3, 26),
    value = string.sub(record, 27, 50),
    expiry = string.sub(record, 51, 74),
    expires = string.sub(record, 75, 86),
    payload = string.sub(record, 87),
  }
end

local function newer(a, b) if a > b then return a else return b end end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local merged, mine = facts(ARGV[1]), facts(ARGV[1])
local stored = redis.call('GET', KEYS[1])
local known = nil
if stored and string.len(stored) >= HEADER and string.sub(stored, 1, 2) == 'S1' then
  known = facts(stored)
  merged.created = newer(merged.created, known.created)
  if known.value > merged.value then merged.value, merged.payload = known.value, known.payload end
  if known.expiry > merged.expiry then merged.expiry, merged.expires = known.expiry, known.expires end
end

local destroyed, side = ARGV[2], redis.call('GET', KEYS[2])
local side_expiry, side_expires = NEVER, '000000000000'
if side and string.len(side) == 60 then
  destroyed = newer(destroyed, string.sub(side, 1, 24))
  side_expiry, side_expires = string.sub(side, 25, 48), string.sub(side, 49, 60)
  if side_expiry > merged.expiry then merged.expiry, merged.expires = side_expiry, side_expires end
end

local function remember(until_ms)
  local facts_beside = destroyed .. side_expiry .. side_expires
  local left = math.max(until_ms, now + 1) - now
  if facts_beside ~= side then redis.call('SET', KEYS[2], facts_beside, 'PX', string.format('%.0f', left)) return 1 end
  return 0
end

local function forget() if stored then redis.call('DEL', KEYS[1]) return 1 else return 0 end end

if merged.created <= destroyed then
  local wrote = forget()
  wrote = math.max(wrote, remember(now + tonumber(ARGV[3])))
  return { 'dead', wrote, destroyed .. side_expiry .. side_expires }
end

-- An expiry that was brought forward must be remembered until the older, later one would have passed: a copy that knows only
-- that one would revive the session.
local latest = tonumber(merged.expires, 16)
local latest_known = known and tonumber(known.expires, 16) or 0
local wrote = 0
if latest_known > latest and merged.expiry > side_expiry then
  side_expiry, side_expires = merged.expiry, merged.expires
  wrote = remember(math.max(latest_known, now + tonumber(ARGV[3])))
end

if latest <= now then
  wrote = math.max(wrote, forget())
  return { 'expired', wrote, destroyed .. merged.expiry .. merged.expires }
end

local record = 'S1' .. merged.created .. merged.value .. merged.expiry .. merged.expires .. merged.payload
if record ~= stored then
  redis.call('SET', KEYS[1], record, 'PXAT', string.format('%.0f', latest))
  wrote = 1
end
if merged.value == mine.value then record = string.sub(record, 1, HEADER) end
return { 'live', wrote, destroyed .. side_expiry .. side_expires, record }

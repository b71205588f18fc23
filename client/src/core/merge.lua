-- Merges what a client knows of a session into what Redis knows: the newer of each fact stands.
--
-- KEYS  1 the session   2 its tombstone, in the same slot
-- ARGV  1 the record, or ''   2 a tombstone: the destruction and, if there is no record, the expiry that the client knows
--       3 the latest expiry that any copy of the session may still believe in, in ms since 1970
--       4 how long to remember a destruction, in ms   5 a stored value that the client found damaged, or ''
--       6 the check of the session's id, with which those of its facts begin
-- Returns { Redis's time in us and what it leaves when divided by TIME_CHECK, what became of the session, record or '=' when it is
--           ARGV[1], tombstone, whether it wrote, whether it found damage that this does not say already }
--
-- A key that has expired leaves no trace, so a copy that missed a shortening of the expiry would bring the session back. The
-- tombstone therefore also remembers a shortened expiry, for as long as any copy may believe in the longer one.
-- Applied twice, or late after newer ones, it changes nothing.

local HEADER, TOMBSTONE, VERSION, MARGIN_MS = 100, 68, 24, 1000
local TIME_CHECK = 9973
local NEVER = string.rep('0', VERSION)

local function whole(text, length)
  if type(text) ~= 'string' or #text < length then return false end
  local head = text:sub(1, length)
  -- A look at a class and a copy in small letters cost a fifth of a look at a set.
  return head:find('^sq1;%x+$') and head:lower() == head
end

local function version(fact)
  return fact == '' and NEVER or fact:sub(1, VERSION)
end

local function newer(a, b)
  if a == b or b == '' then return a end
  if a == '' or version(b) > version(a) then return b end
  return a
end

local function when(expiry)
  return expiry == '' and 0 or tonumber(expiry:sub(VERSION + 1, VERSION + 12), 16)
end

local function of_record(text, is_whole)
  if not is_whole then return '', '', '' end
  return text:sub(5, 30), text:sub(31, 68), text:sub(69)
end

local function of_tombstone(text, is_whole)
  if not is_whole then return '', '' end
  return text:sub(5, 30), text:sub(31, 68)
end

-- A fact that is as it was written, or ''. Its check is CRC-32C, of which it keeps the last byte. No client would find out what
-- a damaged tombstone has done by then: end a session that lives.
local function unchanged(fact)
  local crc = bit.bnot(tonumber(ARGV[6]))
  for at = 1, #fact - 2 do
    crc = bit.bxor(crc, fact:byte(at))
    for _ = 1, 8 do
      crc = bit.bxor(bit.rshift(crc, 1), bit.band(-bit.band(crc, 1), 0x82f63b78))
    end
  end
  return bit.tohex(bit.bnot(crc), 2) == fact:sub(-2) and fact or ''
end

local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)
local wrote = 0

local stored, tombstone = redis.pcall('GET', KEYS[1]), redis.pcall('GET', KEYS[2])
for _, found in ipairs({ stored, tombstone }) do
  -- A key of another type is damaged. Whatever else keeps a key from being read says nothing about what it holds.
  if type(found) == 'table' and not found.err:find('WRONGTYPE', 1, true) then return found end
end
local damaged = stored and (not whole(stored, HEADER) or stored == ARGV[5])
if damaged then stored = false end
local has_tombstone = tombstone and whole(tombstone, TOMBSTONE)

local had_creation, had_expiry, had_value = of_record(stored, stored)
-- What the client sends is whole, if it is not empty.
local new_creation, new_expiry, new_value = of_record(ARGV[1], #ARGV[1] >= HEADER)
local changed = stored and when(had_expiry) <= now and unchanged(had_expiry) == ''
if changed then
  -- Nothing ends by an expiry that is not as it was written. One that still lets it live is found out by the client.
  damaged, stored = stored, false
  had_creation, had_expiry, had_value = '', '', ''
end
local had_destruction, old_expiry = of_tombstone(tombstone, has_tombstone)
local spoilt = tombstone and not has_tombstone
if has_tombstone then
  local began, lives = newer(had_creation, new_creation), newer(had_expiry, new_expiry)
  local gone = newer(had_destruction, (of_tombstone(ARGV[2], #ARGV[2] >= TOMBSTONE)))
  local ends = version(gone) ~= NEVER and version(gone) >= version(began)
  -- The check is dear, and of no use where a newer record stands over all that the tombstone says.
  if ends or version(old_expiry) > version(lives) or when(old_expiry) > when(lives) or when(lives) <= now then
    had_destruction, old_expiry = unchanged(had_destruction), unchanged(old_expiry)
    spoilt = had_destruction == '' or old_expiry == ''
  end
end
if spoilt then
  -- What is right of it is written again where it is needed.
  redis.call('DEL', KEYS[2])
  tombstone, has_tombstone, wrote = false, false, 1
end
local new_destruction, other_expiry = of_tombstone(ARGV[2], #ARGV[2] >= TOMBSTONE)

local creation = newer(had_creation, new_creation)
local value = newer(had_value, new_value)
local destruction = newer(had_destruction, new_destruction)
local remembered = newer(old_expiry, other_expiry)
local expiry = newer(newer(had_expiry, new_expiry), remembered)
local expires = when(expiry)
local latest = math.max(tonumber(ARGV[3]), when(had_expiry), when(new_expiry), when(remembered))

local function answer(fate, record, grave)
  if record ~= '' and record == ARGV[1] then record = '=' end
  local found_damage = spoilt or changed and fate ~= 'damaged'
  local time_said = string.format('%.0f %d', now_us, now_us % TIME_CHECK)
  return { time_said, fate, record, grave, wrote, found_damage and 1 or 0 }
end

-- Remembers what is gone: until `needed` at least, until `wanted` if it is written at all, never shorter than before.
local function bury(text, needed, wanted)
  local until_now = has_tombstone and now + redis.call('PTTL', KEYS[2]) or 0
  -- The clock may have moved on since it was read.
  if text == tombstone and until_now + MARGIN_MS >= needed then return end
  redis.call('SET', KEYS[2], text, 'PXAT', string.format('%.0f', math.max(needed, wanted, until_now)))
  wrote = 1
end

if version(destruction) ~= NEVER and version(destruction) >= version(creation) then
  -- DEL first: a Redis that is full refuses a script's writes only as long as it has made none.
  wrote = math.max(wrote, redis.call('DEL', KEYS[1]))
  local grave = 'sq1;' .. destruction .. remembered
  bury(grave, latest + MARGIN_MS, now + tonumber(ARGV[4]))
  return answer('destroyed', '', grave)
end

if value == '' and damaged then return answer('damaged', '', '') end
if value == '' and (version(expiry) == NEVER or expires > now) then return answer('absent', '', '') end

local grave = 'sq1;' .. destruction .. expiry
if expires > now then
  local record = 'sq1;' .. creation .. expiry .. value
  if record ~= stored then
    redis.call('SET', KEYS[1], record, 'PXAT', string.format('%.0f', expires))
    wrote = 1
  end
  if latest > expires then bury(grave, latest + MARGIN_MS, 0) end
  return answer('alive', record, '')
end

if stored then wrote = math.max(wrote, redis.call('DEL', KEYS[1])) end
if latest > now then bury(grave, latest + MARGIN_MS, 0) end
return answer('expired', '', grave)

-- Counts once, however often it is told.
--
-- KEYS  1 the counter   2 what has been counted, in the same slot
-- ARGV  1 who counts   2 the number of what is counted, as hex digits that only grow   3 by how much
--       4 how long the counter lives if it is new, in ms, or '' for ever
-- Returns { the count, what is left of its time in ms or -1, whether this was counted now }
--
-- The counter is a plain integer, which others may read. What one instance has counted last lies beside it, and lives as long,
-- so that what comes twice, or late, is known. Instances send in the order of their numbers.

local known = redis.call('HGET', KEYS[2], ARGV[1])
if known and known >= ARGV[2] then
  return { redis.call('GET', KEYS[1]) or '0', redis.call('PTTL', KEYS[1]), 0 }
end
redis.call('INCRBY', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 and ARGV[4] ~= '' then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  left = tonumber(ARGV[4])
end
if left >= 0 then redis.call('PEXPIRE', KEYS[2], left) end
-- As text: Lua's numbers lose digits of large ones.
return { redis.call('GET', KEYS[1]), left, 1 }

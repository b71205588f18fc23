-- Notes that a session is a user's, until it expires. What has expired is forgotten, and the index with its last session.
--
-- KEYS  1 the user's index   ARGV  1 the session's id   2 when it expires, in ms since 1970

local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
-- Never earlier than somebody knew: a copy of the session may be old, and one that is over is found out.
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2]))

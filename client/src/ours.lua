-- Which keys hold a session or a counter of ours. Nothing else tells where the prefix is empty and others share the database.
--
-- KEYS  for each: the key, and what its counter has counted beside it, in the same slot
-- Returns for each 1 or 0

local ours = {}
for at = 1, #KEYS, 2 do
  local head = redis.pcall('GETRANGE', KEYS[at], 0, 3)
  if type(head) == 'table' and not head.err:find('WRONGTYPE', 1, true) then return head end
  local session = type(head) == 'string' and head:find('^sq%d;$')
  ours[#ours + 1] = (session or redis.call('EXISTS', KEYS[at + 1]) == 1) and 1 or 0
end
return ours

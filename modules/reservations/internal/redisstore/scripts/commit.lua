-- Applies a change if its bucket is active and everything the decision rested on still
-- stands. It checks first and writes then: a refused commit has written nothing.
--
-- KEYS[1]  the bucket's flights, its fence among them; the other keys share its hash tag
-- ARGV     fence ("" any active one) | not before | not after | flight | its facts |
--          event | ref | n | checks | n x (field, expected, new) |
--          checks x (key, field, expected) | key, number of values, field, new, field, new ... |
--          another key ...
--          The n are fields of the flight's hash: seats, and customers' counts. Expected
--          "" is absent; a seat whose hold has expired counts as absent. New "" removes,
--          "=" leaves. What follows the checks is only written.
-- Times are microseconds.
-- Answers  {time, version, fence}: done; -time: something has changed, decide again;
--          a text: the fence
local facts = redis.call('HMGET', KEYS[1], '#', ARGV[4])
local fence = facts[1] or ''
if string.sub(fence, 1, 7) ~= 'active ' then return fence end

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
if (facts[2] or '') ~= ARGV[5] or (ARGV[1] ~= '' and ARGV[1] ~= fence)
  or now < tonumber(ARGV[2]) or now >= tonumber(ARGV[3]) then return -now end

local base = string.sub(KEYS[1], 1, -8)
local seats, n = base .. 's:' .. ARGV[4], tonumber(ARGV[8])
local get = {'HMGET', seats, '#'}
for i = 1, n do get[i + 3] = ARGV[7 + 3 * i] end
local stored = redis.call(unpack(get))
for i = 1, n do
  local record, expected = stored[i + 1], ARGV[8 + 3 * i]
  if expected ~= '' then
    if record ~= expected then return -now end
  elseif record then
    local expires = string.match(record, '^H(%d+)')
    if not expires or now < tonumber(expires) then return -now end
  end
end
local at = 10 + 3 * n
for _ = 1, tonumber(ARGV[9]) do
  if (redis.call('HGET', base .. ARGV[at], ARGV[at + 1]) or '') ~= ARGV[at + 2] then return -now end
  at = at + 3
end

local version = (stored[1] or 0) + 1
local set, size = {'HSET', seats, '#', version}, 4
for i = 1, n do
  local new = ARGV[9 + 3 * i]
  if new == '' then
    redis.call('HDEL', seats, ARGV[7 + 3 * i])
  elseif new ~= '=' then
    set[size + 1], set[size + 2] = ARGV[7 + 3 * i], new
    size = size + 2
  end
end
redis.call(unpack(set))
while ARGV[at] do -- key, number of values, field, new, ...
  local last = at + 1 + ARGV[at + 1]
  redis.call('HSET', base .. ARGV[at], unpack(ARGV, at + 2, last))
  at = last + 1
end
redis.call('XADD', base .. 'events', '*', 'f', ARGV[4], 'v', version, 't', ARGV[6], 'r', ARGV[7])
return {now, version, fence}

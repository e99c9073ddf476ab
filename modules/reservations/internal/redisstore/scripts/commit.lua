-- Applies a change if its bucket is active and everything the decision rested on still
-- stands. It checks first and writes then: a refused commit has written nothing.
--
-- KEYS[1]  the bucket's fence; the bucket's other keys share its hash tag
-- ARGV     fence ("" any active one) | not before | not after | flight | event | ref |
--          n | n x (seat, expected, new) | m | m x (key, field, expected) | (key, field, new) ...
-- Times are microseconds. Expected "" is absent; a seat whose hold has expired counts as
-- absent. New "" removes; "=" leaves a seat as it is.
-- Answers  "k" time: done; "x" time: something has changed, decide again; "f" fence
local base = string.sub(KEYS[1], 1, -6)
local fence = redis.call('GET', KEYS[1]) or ''
if string.sub(fence, 1, 7) ~= 'active ' then return 'f' .. fence end

local t = redis.call('TIME')
local time = t[1] .. string.format('%06d', t[2])
local now = tonumber(time)
if (ARGV[1] ~= '' and ARGV[1] ~= fence)
  or now < tonumber(ARGV[2]) or now >= tonumber(ARGV[3]) then return 'x' .. time end

local seats, n = base .. 's:' .. ARGV[4], tonumber(ARGV[7])
local get = {'HMGET', seats, '#'}
for i = 1, n do get[i + 3] = ARGV[5 + 3 * i] end
local stored = redis.call(unpack(get))
for i = 1, n do
  local record, expected = stored[i + 1], ARGV[6 + 3 * i]
  if expected ~= '' then
    if record ~= expected then return 'x' .. time end
  elseif record then
    local expires = string.match(record, '^H(%d+)')
    if not expires or now < tonumber(expires) then return 'x' .. time end
  end
end

local at = 8 + 3 * n
local checks = tonumber(ARGV[at])
at = at + 1
for _ = 1, checks do
  if (redis.call('HGET', base .. ARGV[at], ARGV[at + 1]) or '') ~= ARGV[at + 2] then return 'x' .. time end
  at = at + 3
end

local version = string.format('%d', (stored[1] or 0) + 1)
local set = {'HSET', seats, '#', version}
for i = 1, n do
  local seat, new = ARGV[5 + 3 * i], ARGV[7 + 3 * i]
  if new == '' then
    redis.call('HDEL', seats, seat)
  elseif new ~= '=' then
    set[#set + 1] = seat
    set[#set + 1] = new
  end
end
redis.call(unpack(set))
for i = at, #ARGV, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', base .. ARGV[i], ARGV[i + 1])
  else
    redis.call('HSET', base .. ARGV[i], ARGV[i + 1], ARGV[i + 2])
  end
end
redis.call('XADD', base .. 'events', '*', 'f', ARGV[4], 'v', version, 't', ARGV[5], 'r', ARGV[6])
return 'k' .. time

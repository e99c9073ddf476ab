-- Applies changes, each if its bucket is active and everything the decision rested on
-- still stands. Of each it checks all first and writes then: a refused commit has written
-- nothing, nor has one that fails, and the others are not touched by it.
--
-- KEYS     of each change three: its bucket's flights, the fence among them, its flight's
--          seats, and the bucket's day; reservations share their hash tag
-- ARGV     of each change
--          number of its values | fence ("" any active one) | not before | not after |
--          flight | its facts | event's record | f | d | r | s | w |
--          f fields of seats, f expected | d fields of day, d expected |
--          r fields of seats to remove | s values of seats: field, new, field, new ... |
--          w values of day | reservation, expected, new ("" leaves) | reservation ...
--          The fields of seats are seats and customers' counts. Expected "" is absent; a
--          seat whose hold has expired counts as absent. d is at least 1.
-- Times are microseconds.
-- Answers  of each change {time, version, fence}: done; -time: something has changed,
--          decide again; a text: the fence; an error
local call, unpack, keys, args = redis.call, unpack, KEYS, ARGV
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function commit(k, o)
  local flight, seats, day = args[o + 4], keys[k + 1], keys[k + 2]
  local facts = call('HMGET', keys[k], '#', flight)
  local fence = facts[1] or ''
  if string.sub(fence, 1, 7) ~= 'active ' then return fence end
  if (facts[2] or '') ~= args[o + 5] or (args[o + 1] ~= '' and args[o + 1] ~= fence)
    or now < tonumber(args[o + 2]) or now >= tonumber(args[o + 3]) then return -now end

  local n, at = tonumber(args[o + 7]), o + 12
  local stored = call('HMGET', seats, '#', unpack(args, at, at + n - 1))
  at = at + n
  for i = 1, n do
    local record, expected = stored[i + 1], args[at]
    if expected ~= '' then
      if record ~= expected then return -now end
    elseif record then
      local expires = string.match(record, '^H(%d+)')
      if not expires or now < tonumber(expires) then return -now end
    end
    at = at + 1
  end
  n = tonumber(args[o + 8])
  local kept = call('HMGET', day, unpack(args, at, at + n - 1))
  at = at + n
  for i = 1, n do
    if (kept[i] or '') ~= args[at] then return -now end
    at = at + 1
  end
  local removed, set, written, stop = tonumber(args[o + 9]), tonumber(args[o + 10]), tonumber(args[o + 11]), o + args[o]
  local reservations, first = '', at + removed + set + written
  if first < stop then reservations = string.sub(keys[k], 1, -8) .. 'res' end
  for r = first, stop - 1, 3 do
    if (call('HGET', reservations, args[r]) or '') ~= args[r + 1] then return -now end
  end

  local version = (stored[1] or 0) + 1
  if removed > 0 then
    call('HDEL', seats, unpack(args, at, at + removed - 1))
    at = at + removed
  end
  call('HSET', seats, '#', version, unpack(args, at, at + set - 1))
  at = at + set
  call('HSET', day, 'e' .. flight .. ' ' .. version, args[o + 6], unpack(args, at, at + written - 1))
  for r = first, stop - 1, 3 do
    if args[r + 2] ~= '' then call('HSET', reservations, args[r], args[r + 2]) end
  end
  return {now, version, fence}
end

local answers, at = {}, 1
for i = 1, #keys / 3 do
  local ok, answer = pcall(commit, 3 * i - 2, at)
  if not ok and type(answer) ~= 'table' then answer = redis.error_reply('ERR ' .. answer) end
  answers[i] = answer
  at = at + args[at]
end
return answers

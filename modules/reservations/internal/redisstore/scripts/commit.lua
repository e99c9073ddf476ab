-- Applies changes, each if its bucket is active and everything the decision rested on
-- still stands. Of each it checks all first and writes then: a refused commit has written
-- nothing, nor has one that fails, and the others are not touched by it.
--
-- KEYS     of each change three: its bucket's flights, the fence among them, its flight's
--          seats, and the bucket's day; reservations share their hash tag
-- ARGV     of each change one: counts f e d x r s w v, a byte each; doubles not before, not
--          after; and texts, each behind its length in two bytes, all of it little-endian:
--          fence ("" any active one) | flight | its facts | event's record |
--          f fields of seats | e of them: expected | d fields of day | x of them: expected |
--          r fields of seats to remove | s values of seats: field, new, field, new ... |
--          w values of day | v values of reservations: id, expected, new ("" leaves) ...
--          The fields of seats are seats and customers' counts. Expected "" is absent, as
--          are all if e or x is 0, for most are; a seat whose hold has expired counts as
--          absent. d is at least 1, so that nothing is written into a day that is no hash.
--          Event "": the last value of day is it, and gets the version as its last part.
-- Times are microseconds.
-- Answers  of each change "<time> <version> <fence>": done; a number, the time: something
--          has changed, decide again; {fence}: refused; an error
local call, keys, changes, unpack = redis.call, KEYS, ARGV, unpack
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local time = string.format('%.0f ', now)

local shapes = {} -- of changes, by the number of their texts
local function parts(change, texts)
  local shape = shapes[texts]
  if not shape then
    shape = '<dd' .. string.rep('I2c0', texts)
    shapes[texts] = shape
  end
  return {struct.unpack(shape, change, 9)}
end

local function free(record) -- a seat
  local expires = string.match(record, '^H(%d+)')
  return expires and now >= tonumber(expires)
end

local function commit(k, change)
  local f, e, d, x, r, s, w, v = string.byte(change, 1, 8)
  local args = parts(change, 4 + f + e + d + x + r + s + w + v)
  local expected, flight, event, seats, day = args[3], args[4], args[6], keys[k + 1], keys[k + 2]
  local facts = call('HMGET', keys[k], '#', flight)
  local fence = facts[1] or ''
  if string.sub(fence, 1, 7) ~= 'active ' then return {fence} end
  if (facts[2] or '') ~= args[5] or (expected ~= '' and expected ~= fence)
    or now < args[1] or now >= args[2] then return now end

  local at = 7
  local stored = call('HMGET', seats, '#', unpack(args, at, at + f - 1))
  at = at + f
  for i = 1, f do
    local record, expected = stored[i + 1], e > 0 and args[at + i - 1] or ''
    if expected ~= '' then
      if record ~= expected then return now end
    elseif record and not free(record) then
      return now
    end
  end
  at = at + e
  local kept = call('HMGET', day, unpack(args, at, at + d - 1))
  at = at + d
  for i = 1, d do
    if (kept[i] or '') ~= (x > 0 and args[at + i - 1] or '') then return now end
  end
  at = at + x
  local reservations, first = v > 0 and string.sub(keys[k], 1, -8) .. 'res', at + r + s + w
  for i = first, first + v - 1, 3 do
    if (call('HGET', reservations, args[i]) or '') ~= args[i + 1] then return now end
  end

  local version = string.format('%d', (stored[1] or 0) + 1)
  if r > 0 then call('HDEL', seats, unpack(args, at, at + r - 1)) end
  at = at + r
  call('HSET', seats, '#', version, unpack(args, at, at + s - 1))
  at = at + s
  if event == '' then
    args[first - 1] = args[first - 1] .. #version .. ':' .. version
    call('HSET', day, unpack(args, at, first - 1))
  else
    call('HSET', day, 'e' .. flight .. ' ' .. version, event, unpack(args, at, first - 1))
  end
  for i = first, first + v - 1, 3 do
    if args[i + 2] ~= '' then call('HSET', reservations, args[i], args[i + 2]) end
  end
  return time .. version .. ' ' .. fence
end

local answers, i, n = {}, 0, #changes
local function rest()
  while i < n do
    i = i + 1
    answers[i] = commit(3 * i - 2, changes[i])
  end
end
while i < n do
  local ok, failed = pcall(rest)
  if not ok then answers[i] = type(failed) == 'table' and failed or redis.error_reply('ERR ' .. failed) end
end
return answers

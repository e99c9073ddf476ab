-- Applies changes, each if its bucket is active and everything the decision rested on
-- still stands. Of each it checks all first and writes then: a refused commit has written
-- nothing, nor has one that fails, and the others are not touched by it.
--
-- KEYS     of each change three: its bucket's flights, the fence among them, its flight's
--          seats, and the bucket's day; reservations share their hash tag
-- ARGV     of each change
--          counts f e d x r s w v, a byte each | fence ("" any active one) |
--          not before | not after | flight | its facts | event's record |
--          f fields of seats | e of them: expected | d fields of day | x of them: expected |
--          r fields of seats to remove | s values of seats: field, new, field, new ... |
--          w values of day | v values of reservations: id, expected, new ("" leaves) ...
--          The fields of seats are seats and customers' counts. Expected "" is absent, as
--          are all if e or x is 0, for most are; a seat whose hold has expired counts as
--          absent. d is at least 1, so that nothing is written into a day that is no hash.
-- Times are microseconds.
-- Answers  of each change {time, version, fence}: done; -time: something has changed,
--          decide again; a text: the fence; an error
local call, keys, args, unpack, tonumber = redis.call, KEYS, ARGV, unpack, tonumber
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function free(record) -- a seat
  local expires = string.match(record, '^H(%d+)')
  return expires and now >= tonumber(expires)
end

local function commit(k, o, f, e, d, x, r, s, w, v)
  local flight, seats, day = args[o + 4], keys[k + 1], keys[k + 2]
  local facts = call('HMGET', keys[k], '#', flight)
  local fence = facts[1] or ''
  if string.sub(fence, 1, 7) ~= 'active ' then return fence end
  if (facts[2] or '') ~= args[o + 5] or (args[o + 1] ~= '' and args[o + 1] ~= fence)
    or now < tonumber(args[o + 2]) or now >= tonumber(args[o + 3]) then return -now end

  local at = o + 7
  local stored = call('HMGET', seats, '#', unpack(args, at, at + f - 1))
  at = at + f
  for i = 1, f do
    local record, expected = stored[i + 1], e > 0 and args[at + i - 1] or ''
    if expected ~= '' then
      if record ~= expected then return -now end
    elseif record and not free(record) then
      return -now
    end
  end
  at = at + e
  local kept = call('HMGET', day, unpack(args, at, at + d - 1))
  at = at + d
  for i = 1, d do
    if (kept[i] or '') ~= (x > 0 and args[at + i - 1] or '') then return -now end
  end
  at = at + x
  local reservations, first = v > 0 and string.sub(keys[k], 1, -8) .. 'res', at + r + s + w
  for i = first, first + v - 1, 3 do
    if (call('HGET', reservations, args[i]) or '') ~= args[i + 1] then return -now end
  end

  local version = (stored[1] or 0) + 1
  if r > 0 then call('HDEL', seats, unpack(args, at, at + r - 1)) end
  at = at + r
  call('HSET', seats, '#', version, unpack(args, at, at + s - 1))
  at = at + s
  call('HSET', day, 'e' .. flight .. ' ' .. version, args[o + 6], unpack(args, at, at + w - 1))
  for i = first, first + v - 1, 3 do
    if args[i + 2] ~= '' then call('HSET', reservations, args[i], args[i + 2]) end
  end
  return {now, version, fence}
end

local answers, o = {}, 1
for i = 1, #keys / 3 do
  local f, e, d, x, r, s, w, v = string.byte(args[o], 1, 8)
  local ok, answer = pcall(commit, 3 * i - 2, o, f, e, d, x, r, s, w, v)
  if not ok and type(answer) ~= 'table' then answer = redis.error_reply('ERR ' .. answer) end
  answers[i] = answer
  o = o + 7 + f + e + d + x + r + s + w + v
end
return answers

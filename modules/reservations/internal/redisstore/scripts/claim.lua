-- Writes new holds, each if its bucket is active, its flight is as expected, and its seats,
-- its customer's count and its idempotency key are free. Of each it checks all first and
-- writes then, as commit does, which takes any change but takes longer to take it apart.
--
-- KEYS     of each hold one: its bucket's flights, the fence among them; the other keys
--          share its hash tag
-- ARGV     of each hold: number of all that follow | flight | its facts | decided at |
--          idempotency record's field | and record, without the version, its last part |
--          hold's field | and record | fields of seats: field, record, field, record ...
-- Times are microseconds.
-- Answers  as commit does
local call, args, unpack = redis.call, ARGV, unpack
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local time = string.format('%.0f ', now)
local tolerance = 50000 -- of guess.Tolerance

local function free(record) -- a seat
  local expires = string.match(record, '^H(%d+)')
  return expires and now >= tonumber(expires)
end

local sizes = {} -- how the part of a version begins, by its length
local function part(text)
  local size = sizes[#text]
  if not size then
    size = #text .. ':'
    sizes[#text] = size
  end
  return size .. text
end

local function hold(key, at, last)
  local base = string.sub(key, 1, -8)
  local seats, day, flight, recorded, fields = base .. 's:' .. args[at], base .. 'day', args[at], args[at + 3], at + 7
  local facts = call('HMGET', key, '#', flight)
  local fence = facts[1] or ''
  if string.sub(fence, 1, 7) ~= 'active ' then return {fence} end
  local late = now - args[at + 2]
  if facts[2] ~= args[at + 1] or late >= tolerance or late < -tolerance then return now end

  local stored
  if last == fields + 3 then -- a seat and its customer, as usual: no list to make
    stored = call('HMGET', seats, '#', args[fields], args[fields + 2])
  else
    local names = {'HMGET', seats, '#'}
    for i = fields, last, 2 do names[#names + 1] = args[i] end
    stored = call(unpack(names))
  end
  for i = 2, #stored do
    local record = stored[i]
    if record and not free(record) then return now end
  end
  if call('HEXISTS', day, recorded) == 1 then return now end

  local version = string.format('%d', (stored[1] or 0) + 1)
  call('HSET', seats, '#', version, unpack(args, fields, last))
  call('HSET', day, recorded, args[at + 4] .. part(version), args[at + 5], args[at + 6])
  return time .. version .. ' ' .. fence
end

local answers, i, n, at = {}, 0, #KEYS, 1
local function rest()
  while i < n do
    local first, last = at + 1, at + args[at]
    i, at = i + 1, last + 1
    answers[i] = hold(KEYS[i], first, last)
  end
end
while i < n do
  local ok, failed = pcall(rest)
  if not ok then answers[i] = type(failed) == 'table' and failed or redis.error_reply('ERR ' .. failed) end
end
return answers

-- Removes what has passed its time from one bucket, some hundred records a call.
--
-- KEYS[1]  the bucket's flights, its fence among them; only an active bucket is swept
-- ARGV     microseconds to keep | cursor
-- Answers  records removed, records looked at, next cursor, "" at the end
local base = string.sub(KEYS[1], 1, -8)
local fence = redis.call('HGET', KEYS[1], '#') or ''
if string.sub(fence, 1, 7) ~= 'active ' then return {0, 0, ''} end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local old = now - ARGV[1]
local removed, looked = 0, 0

-- fields of a record written as <length>:<bytes><length>:<bytes>...
local function fields(record)
  local list, at = {}, 1
  while at <= #record do
    local colon = string.find(record, ':', at, true)
    local stop = colon + tonumber(string.sub(record, at, colon - 1))
    list[#list + 1] = string.sub(record, colon + 1, stop)
    at = stop + 1
  end
  return list
end

-- freeing the seats that a hold which has expired still marks, and its customer's count
local function free(id, flight, seats, customer)
  local key = base .. 's:' .. flight
  for seat in string.gmatch(seats, '[^,]+') do
    local record = redis.call('HGET', key, seat)
    local expires, length, rest = string.match(record or '', '^H(%d+),(%d+),(.*)$')
    if expires and tonumber(expires) <= now and string.sub(rest, 1, length) == id then
      removed = removed + redis.call('HDEL', key, seat)
    end
  end
  local counted = redis.call('HGET', key, 'c' .. customer)
  if counted then
    for expires in string.gmatch(counted, '=(%d+)') do
      if tonumber(expires) > now then return end
    end
    redis.call('HDEL', key, 'c' .. customer)
  end
end

local page = redis.call('HSCAN', base .. 'day', ARGV[2], 'COUNT', 100)
for i = 1, #page[2], 2 do
  local field, record = page[2][i], fields(page[2][i + 1])
  looked = looked + 1
  local ended
  if string.sub(field, 1, 1) == 'h' then -- flight, seats, expiry, status, customer ...
    ended = tonumber(record[3])
    if ended <= now and record[4] == 'HELD' then free(string.sub(field, 2), record[1], record[2], record[5]) end
  else -- an answer or an event: time ...
    ended = tonumber(record[1])
  end
  if ended <= old then removed = removed + redis.call('HDEL', base .. 'day', field) end
end
return {removed, looked, page[1] == '0' and '' or page[1]}

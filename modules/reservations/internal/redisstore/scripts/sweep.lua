-- Removes what has passed its time from one bucket, some hundred records a call.
--
-- KEYS[1]  the bucket's fence; only an active bucket is swept
-- ARGV     microseconds to keep | cursor in holds | cursor in idem ("" is done)
-- Answers  records removed, records looked at, next cursor in holds, next cursor in idem
local base = string.sub(KEYS[1], 1, -6)
local fence = redis.call('GET', KEYS[1]) or ''
if string.sub(fence, 1, 7) ~= 'active ' then return {0, 0, '', ''} end
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
  local field = flight .. '|' .. customer
  local counted = redis.call('HGET', base .. 'cust', field)
  if counted then
    for expires in string.gmatch(counted, '=(%d+)') do
      if tonumber(expires) > now then return end
    end
    redis.call('HDEL', base .. 'cust', field)
  end
end

local function scan(key, cursor, visit)
  if cursor == '' then return '' end
  local page = redis.call('HSCAN', base .. key, cursor, 'COUNT', 100)
  looked = looked + #page[2] / 2
  for i = 1, #page[2], 2 do visit(page[2][i], fields(page[2][i + 1])) end
  return page[1] == '0' and '' or page[1]
end

local holds = scan('holds', ARGV[2], function(id, hold) -- flight, seats, expiry, status, customer ...
  local expires = tonumber(hold[3])
  if expires <= now and hold[4] == 'HELD' then free(id, hold[1], hold[2], hold[5]) end
  if expires <= old then removed = removed + redis.call('HDEL', base .. 'holds', id) end
end)
local idem = scan('idem', ARGV[3], function(key, record) -- created, ...
  if tonumber(record[1]) <= old then removed = removed + redis.call('HDEL', base .. 'idem', key) end
end)
if ARGV[2] == '0' then
  removed = removed + redis.call('XTRIM', base .. 'events', 'MINID', string.format('%.0f', math.floor(old / 1000)))
end
return {removed, looked, holds, idem}

-- Loads what a decision needs, in one step and without writing.
--
-- KEYS[1]  the bucket's flights, its fence among them
-- ARGV     flight | hold | reservation | idempotency key | customer | seat ...
--          "" for what is not asked for
-- Answers  time, fence, flight id, flight, version, hold, reservation, idempotency record,
--          {seat, record or nil, ...}, {customer, count or nil, ...}
-- With a hold or reservation its flight and seats are loaded too; the customers are the
-- one asked for and whoever holds one of the seats.
local base = string.sub(KEYS[1], 1, -8)
local t = redis.call('TIME')
local flight = ARGV[1]
local hold = ARGV[2] ~= '' and redis.call('HGET', base .. 'day', 'h' .. ARGV[2])
local reservation = ARGV[3] ~= '' and redis.call('HGET', base .. 'res', ARGV[3])

local seats, known = {}, {}
local function add(seat)
  if not known[seat] then
    known[seat] = true
    seats[#seats + 1] = seat
  end
end
for i = 6, #ARGV do add(ARGV[i]) end
local record = hold or reservation
if record then -- <length>:<flight><length>:<seats, comma-separated>...
  local colon = string.find(record, ':', 1, true)
  local stop = colon + tonumber(string.sub(record, 1, colon - 1))
  flight = string.sub(record, colon + 1, stop)
  colon = string.find(record, ':', stop, true)
  local list = string.sub(record, colon + 1, colon + tonumber(string.sub(record, stop + 1, colon - 1)))
  for seat in string.gmatch(list, '[^,]+') do add(seat) end
end

local key = base .. 's:' .. flight
local customers, asked = {}, {}
local function customer(c)
  if c ~= '' and not asked[c] then
    asked[c] = true
    customers[#customers + 1] = c
    customers[#customers + 1] = redis.call('HGET', key, 'c' .. c)
  end
end
local stored = redis.call('HMGET', key, '#', unpack(seats))
customer(ARGV[5])
local records = {}
for i, seat in ipairs(seats) do
  local r = stored[i + 1]
  records[2 * i - 1], records[2 * i] = seat, r
  if r and string.sub(r, 1, 1) == 'H' then -- H<expiry>,<length>,<hold><customer>
    local length, rest = string.match(r, '^H%d+,(%d+),(.*)$')
    customer(string.sub(rest, length + 1))
  end
end
local facts = redis.call('HMGET', KEYS[1], '#', flight)
return {
  t[1] .. string.format('%06d', t[2]), facts[1], flight, flight ~= '' and facts[2], stored[1], hold, reservation,
  ARGV[4] ~= '' and redis.call('HGET', base .. 'day', 'i' .. ARGV[4]), records, customers,
}

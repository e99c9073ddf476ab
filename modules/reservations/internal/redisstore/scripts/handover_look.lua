-- Tells what a bucket has, without reading it.
--
-- KEYS[1]  the bucket's flights, its fence among them
-- Answers  fence, parts, records kept for a day, reservations,
--          {flight that has seat state, number of its fields ...}
-- No flight has seat state unless it is in the catalogue, from which none is ever removed.
local base = string.sub(KEYS[1], 1, -8)
local fence = redis.call('HMGET', KEYS[1], '#', '# seq')
local flights = redis.call('HKEYS', KEYS[1])
local found = {}
for from = 1, #flights, 1000 do
  local keys = {'EXISTS'}
  for i = from, math.min(from + 999, #flights) do keys[#keys + 1] = base .. 's:' .. flights[i] end
  if redis.call(unpack(keys)) > 0 then
    for i = 2, #keys do
      local size = redis.call('HLEN', keys[i])
      if size > 0 then found[#found + 1], found[#found + 2] = flights[from + i - 2], size end
    end
  end
end
return {fence[1] or '', fence[2] or '0', redis.call('HLEN', base .. 'day'), redis.call('HLEN', base .. 'res'), found}

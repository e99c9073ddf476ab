-- Stores flights of one bucket, each only if its event is newer than the one stored.
-- KEYS[1]  the bucket's fence        ARGV  flight, seq, record ...
local flights = string.sub(KEYS[1], 1, -6) .. 'flights'
for i = 1, #ARGV, 3 do
  local stored = redis.call('HGET', flights, ARGV[i])
  if not stored or tonumber(string.match(stored, '^%d(%d+)')) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', flights, ARGV[i], ARGV[i + 2])
  end
end

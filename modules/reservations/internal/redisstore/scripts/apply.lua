-- Stores flights of one bucket, each only if its event is newer than the one stored.
-- KEYS[1]  the bucket's flights        ARGV  flight, seq, record ...
for i = 1, #ARGV, 3 do
  local stored = redis.call('HGET', KEYS[1], ARGV[i])
  if not stored or tonumber(string.match(stored, '^%d(%d+)')) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end

-- Reads a flight's hash: seat records, customers' counts, and the version under "#".
-- KEYS[1]  the bucket's flights        ARGV[1]  flight
-- Answers  time, fence, flight, {field, record, ...}
local t = redis.call('TIME')
local facts = redis.call('HMGET', KEYS[1], '#', ARGV[1])
return {
  t[1] .. string.format('%06d', t[2]), facts[1], facts[2],
  redis.call('HGETALL', string.sub(KEYS[1], 1, -8) .. 's:' .. ARGV[1]),
}

-- Reads every seat record of a flight, and the version under the field "#".
-- KEYS[1]  the bucket's fence        ARGV[1]  flight
-- Answers  time, fence, flight, {field, record, ...}
local base = string.sub(KEYS[1], 1, -6)
local t = redis.call('TIME')
return {
  t[1] .. string.format('%06d', t[2]), redis.call('GET', KEYS[1]),
  redis.call('HGET', base .. 'flights', ARGV[1]), redis.call('HGETALL', base .. 's:' .. ARGV[1]),
}

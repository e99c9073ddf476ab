-- Adds flights to a shard of the index by number; several origins may share a number.
-- KEYS[1]  the shard        ARGV  number, flight ...
for i = 1, #ARGV, 2 do
  local list = redis.call('HGET', KEYS[1], ARGV[i])
  if not list then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  elseif not string.find('\n' .. list .. '\n', '\n' .. ARGV[i + 1] .. '\n', 1, true) then
    redis.call('HSET', KEYS[1], ARGV[i], list .. '\n' .. ARGV[i + 1])
  end
end

-- Stores a part as handover.Admit has it: the part and its number, or nothing.
--
-- KEYS[1]  the bucket's flights, its fence among them; the other keys share its hash tag
-- ARGV     epoch | part's number | n | n flights that must be known |
--          m | m x (flight, customer's field, seats held) |
--          key, number of values, field, value, field, value ... | another key ...
-- Answers  1: done; {fence, parts}: refused; a text: a flight that is not known
local stored = redis.call('HMGET', KEYS[1], '#', '# seq')
if stored[1] ~= 'sealed ' .. ARGV[1] or tonumber(stored[2] or 0) + 1 ~= tonumber(ARGV[2]) then
  return {stored[1] or '', stored[2] or '0'}
end
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  if redis.call('HEXISTS', KEYS[1], ARGV[at]) == 0 then return ARGV[at] end
  at = at + 1
end

local base = string.sub(KEYS[1], 1, -8)
local counts = tonumber(ARGV[at])
at = at + 1
for _ = 1, counts do -- the customer's other seats came in an earlier part
  local key, held = base .. 's:' .. ARGV[at], ARGV[at + 2]
  local before = redis.call('HGET', key, ARGV[at + 1])
  redis.call('HSET', key, ARGV[at + 1], before and before .. ',' .. held or held)
  at = at + 3
end
while ARGV[at] do
  local last = at + 1 + ARGV[at + 1]
  redis.call('HSET', base .. ARGV[at], unpack(ARGV, at + 2, last))
  at = last + 1
end
redis.call('HSET', KEYS[1], '# seq', ARGV[2])
return 1

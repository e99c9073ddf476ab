-- Carries out an order as handover.Next has it: all of it, or nothing.
--
-- KEYS[1]  the bucket's flights, its fence among them; what is wiped shares its hash tag
-- ARGV     order | epoch | number of parts that Activate was told
-- Answers  1: done; otherwise what the fence is: {fence, parts}
local stored = redis.call('HMGET', KEYS[1], '#', '# seq')
local mode, at = string.match(stored[1] or ' 0', '^(%l*) (%d+)$')
if not mode then return redis.error_reply('damaged fence ' .. stored[1]) end
local op, seq = ARGV[1], tonumber(stored[2] or 0)
local rises, same = tonumber(at) < tonumber(ARGV[2]), tonumber(at) == tonumber(ARGV[2])
local sealed, active = mode == 'sealed', mode == 'active'
local owned = active or mode == 'ro'

local becomes, restart, wipe
if op == 'seal' then
  if rises and not owned then becomes, restart, wipe = 'sealed', true, true end
elseif op == 'activate' then
  if same and seq == tonumber(ARGV[3]) and (sealed or active) then becomes = 'active' end
elseif op == 'freeze' then
  if rises and owned then becomes, restart = 'ro', true end
elseif op == 'seal-source' then
  if same and (mode == 'ro' or sealed) then becomes = 'sealed' end
elseif op == 'reactivate' then
  if rises and owned or same and active then becomes, restart = 'active', true end
elseif op == 'purge' then
  if same and sealed then becomes, wipe = 'sealed', true end
elseif op == 'recover' then
  if rises and sealed or same and active then becomes = 'active' end
end
if not becomes then return {stored[1] or '', stored[2] or '0'} end

if wipe then -- before the fence: a bucket that is not wiped must not look as if it were
  local base = string.sub(KEYS[1], 1, -8)
  local keys, flights = {'UNLINK', base .. 'day', base .. 'res'}, redis.call('HKEYS', KEYS[1])
  for i, flight in ipairs(flights) do
    keys[#keys + 1] = base .. 's:' .. flight
    if #keys > 1000 or i == #flights then
      redis.call(unpack(keys))
      keys = {'UNLINK'}
    end
  end
  if #keys > 1 then redis.call(unpack(keys)) end
end
redis.call('HSET', KEYS[1], '#', becomes .. ' ' .. ARGV[2])
if restart then redis.call('HDEL', KEYS[1], '# seq') end
return 1

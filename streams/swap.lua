--[[
Lets the generation in the spare database serve: run by EVAL, with the keys

    likewave:rebuild          hash    the marker of a spare database (streams/generations.py)
    likewave:rebuild:lease    string  the token of who works on it

and the arguments home, spare (databases), token, old shards, new shards, ms of the lease, ids of the
logs that there are, each between spaces. It reads
fence:{s} and job:{s}, carries exposures:{s} and connected:{s} over, and answers OK; or, having done
nothing, LOST (the lease is another's), BUSY (a job is open), BEHIND (a fence lies too low).

A worker may have been told that rows beyond the least fence are applied, so it is the greatest fence
of the old generation that the least of the new one must reach. Nobody reaches that of a log which
is no more.
]]

local home, spare, token, old, new = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local call = redis.call

local function fences(database, shards, choose)
  local found, count = {}, {}
  call('SELECT', database)
  for shard = 0, shards - 1 do
    local fence = call('HGETALL', 'fence:{' .. shard .. '}')
    for k = 1, #fence, 2 do
      local position, log = string.match(fence[k + 1], '^(%d+) (%S+)')
      if log then
        local source = fence[k] .. ' ' .. log
        found[source] = choose(found[source] or tonumber(position), tonumber(position))
        count[source] = (count[source] or 0) + 1
      end
    end
  end
  return found, count
end

call('SELECT', spare)
if call('GET', KEYS[2]) ~= token then return 'LOST' end
for shard = 0, new - 1 do
  if call('EXISTS', 'job:{' .. shard .. '}') == 1 then return 'BUSY' end
end
local ahead, count = fences(spare, new, math.min)
for source, position in pairs((fences(home, old, math.max))) do
  local log = string.match(source, ' %S+$') .. ' '
  local has_all = count[source] == new and ahead[source] >= position
  if not has_all and string.find(ARGV[7], log, 1, true) then return 'BEHIND' end
end

call('SELECT', home)
local exposures = {}
for _, key in ipairs({ 'breaker:{0}', 'likewave:exits', 'likewave:monitor', 'audited:{0}' }) do
  if call('EXISTS', key) == 1 then call('COPY', key, key, 'DB', spare, 'REPLACE') end
end
for shard = 0, old - 1 do
  local key, tag = 'connected:{' .. shard .. '}', '{' .. shard .. '}'
  if old == new and call('EXISTS', key) == 1 then call('COPY', key, key, 'DB', spare, 'REPLACE') end
  local pages = call('HGETALL', 'exposures:' .. tag)
  for k = 1, #pages, 2 do exposures[pages[k]] = (exposures[pages[k]] or 0) + pages[k + 1] end
end
call('SELECT', spare)
for group, pages in pairs(exposures) do call('HSET', 'exposures:{0}', group, pages) end
local marker = call('HGETALL', KEYS[1])
call('DEL', KEYS[1], KEYS[2])
call('SWAPDB', home, spare)
call('SELECT', spare)
call('HSET', KEYS[1], unpack(marker))
call('HSET', KEYS[1], 'state', 'replaced')
call('SET', KEYS[2], token, 'PX', ARGV[6])
return 'OK'

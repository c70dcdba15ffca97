-- For good: an item is taken down, an account erased.

-- Every feed is looked at, since an act that put the item there may be forgotten by now.
local function take_down(row)
  local item = row.item
  if call('SADD', 'down' .. here, item) == 0 then return end
  exists.down, down[item] = true, true
  alter(item)
  unlist(item, call('HGET', 'item' .. tag .. item, 'topics'))
  call('ZREM', 'fresh' .. here, item)
  call('DEL', 'item' .. tag .. item, 'direct' .. tag .. item)
  for _, kind in ipairs(KINDS) do call('DEL', 'actors' .. tag .. kind .. ':' .. item) end
  call('RPUSH', 'job' .. here, cmsgpack.pack({ what = 'down', item = item, cursor = '0' }))
  work = policy.step
end

run.down = function(slice)
  local found = call('ZSCAN', 'warm' .. here, slice.cursor, 'COUNT', SLICE)
  for k = 1, #found[2], 2 do retract(found[2][k], slice.item, { sum = 0 }) end
  if found[1] == '0' then return end
  slice.cursor = found[1]
  call('RPUSH', 'job' .. here, cmsgpack.pack(slice))
end

local function erase(row)
  local user = row.who
  if call('SADD', 'erased' .. here, redis.sha1hex(user)) == 0 then return end
  exists.erased, erased[user] = true, true
  call('RPUSH', 'job' .. here, cmsgpack.pack({ what = 'erase', user = user }))
  work = policy.step
end

-- The steps of an erasure, one after the other: each does a piece, and gives false when nothing of
-- its kind is left. `user` is the account.

local EDGES = { 'friend', 'follow', 'block', 'blocked', 'mute', 'favor' }

local function erase_acts(slice)
  for _, kind in ipairs(KINDS) do
    local found = call('ZPOPMIN', 'acts' .. tag .. kind .. ':' .. slice.user)
    if found[1] then
      if found[2] % 2 == 0 then withdraw(kind, slice.user, found[1], found[2] / 2) end
      return true
    end
    call('ZREM', 'due' .. here, kind .. ':' .. slice.user)
  end
  return false
end

local function erase_views(slice)
  local half_hour = slice.half_hour or first_half_hour()
  if half_hour > (cut + policy.horizon) / HALF_HOUR then return false end
  local key = 'views' .. tag .. digits(half_hour)
  local found = call('ZSCAN', key, slice.cursor or '0', 'MATCH', '*|' .. slice.user, 'COUNT', SLICE)
  for k = 1, #found[2], 2 do
    local item = match(found[2][k], '^[^|]*')
    if call('ZREM', key, found[2][k]) == 1 and not is_down(item) then
      engage(item, 'view', slice.user, -1, nil, tonumber(found[2][k + 1]))
    end
  end
  slice.cursor = found[1]
  slice.half_hour = found[1] == '0' and half_hour + 1 or half_hour
  return true
end

-- What two accounts shared by name, one way.
local function erase_between(sender, recipient)
  local name = 'direct:' .. sender .. '|' .. recipient
  for _, item in ipairs(call('ZRANGE', 'acts' .. tag .. name, '0', '-1')) do
    take_back(sender, recipient, item)
  end
  call('DEL', 'acts' .. tag .. name)
  call('ZREM', 'due' .. here, name)
  call('SREM', 'sent' .. tag .. sender, recipient)
  call('SREM', 'senders' .. tag .. recipient, sender)
end

local function erase_shares(slice)
  local recipient = call('SRANDMEMBER', 'sent' .. tag .. slice.user)
  local sender = call('SRANDMEMBER', 'senders' .. tag .. slice.user)
  if recipient then erase_between(slice.user, recipient) end
  if sender then erase_between(sender, slice.user) end
  return recipient or sender
end

-- The edges that others have to the account.
local function erase_fame(slice)
  local user = slice.user
  local other = call('SPOP', 'fans' .. tag .. user)
  if other then
    call('SREM', 'circle' .. tag .. other, user)
    review(other)
  else
    other = call('SPOP', 'strangers' .. tag .. user)
  end
  if not other then return false end
  touch(other)
  for _, kind in ipairs(EDGES) do call('ZREM', 'edges' .. tag .. kind .. ':' .. other, user) end
  return true
end

-- The edges that the account has to others.
local function erase_edges(slice)
  local user = slice.user
  for _, kind in ipairs(EDGES) do
    local found = call('ZPOPMIN', 'edges' .. tag .. kind .. ':' .. user, SLICE)
    for k = 1, #found, 2 do
      local other = found[k]
      call('SREM', 'fans' .. tag .. other, user)
      call('SREM', 'strangers' .. tag .. other, user)
      if kind == 'favor' then unfavour(user, other) end
    end
    if found[1] then return true end
  end
  return false
end

local function erase_hides(slice)
  local found = call('ZPOPMIN', 'hidden' .. tag .. slice.user, SLICE)
  for k = 1, #found, 2 do call('SREM', 'hiders' .. tag .. found[k], slice.user) end
  return found[1]
end

local function erase_rest(slice)
  local user = slice.user
  for _, key in ipairs({ 'feed', 'circle', 'favoured', 'seen' }) do call('DEL', key .. tag .. user) end
  call('ZREM', 'due' .. here, 'seen:' .. user)
  call('SREM', 'favourites' .. here, user)
  call('HDEL', 'floor' .. here, user)
  call('ZREM', 'warm' .. here, user)
  call('SREM', 'awake' .. here, user)
  touch(user)
  return false
end

local ERASURE = {
  erase_acts, erase_views, erase_shares, erase_fame, erase_edges, erase_hides, erase_rest,
}

run.erase = function(slice)
  for _, step in ipairs(ERASURE) do
    if step(slice) then
      work = work + 8
      call('RPUSH', 'job' .. here, cmsgpack.pack(slice))
      return
    end
  end
end


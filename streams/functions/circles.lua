-- Circles.

local function on(kind, user, other)
  local register = call('ZSCORE', 'edges' .. tag .. kind .. ':' .. user, other)
  return register and tonumber(register) % 2 == 0
end

local function reaches(user, other)
  if not on('friend', user, other) and not on('follow', user, other) then return false end
  local edges = 'edges' .. tag
  if call('EXISTS', edges .. 'block:' .. user, edges .. 'blocked:' .. user, edges .. 'mute:' .. user) == 0 then
    return true
  end
  return not (on('block', user, other) or on('blocked', user, other) or on('mute', user, other))
end

-- Settle all that `other` has on in the user's feed.
local function bring(user, other)
  if not is_awake(user) then return end
  local items, seen = {}, {}
  local names = { 'direct:' .. other .. '|' .. user }
  for _, kind in ipairs(KINDS) do names[#names + 1] = kind .. ':' .. other end
  for _, name in ipairs(names) do
    local found = call('ZRANGE', 'acts' .. tag .. name, '0', '-1', 'WITHSCORES')
    for k = 1, #found, 2 do
      local item, register = found[k], tonumber(found[k + 1])
      if register % 2 == 0 and register / 2 > cut and not seen[item] then
        seen[item] = true
        items[#items + 1] = item
      end
    end
  end
  if #items > 0 then spread('settle', { user = user }, items) end
end

-- Settle every entry, since an act that put it there may be forgotten by now.
local function review(user)
  local items = call('ZRANGE', 'feed' .. tag .. user, '0', '-1')
  if #items > 0 then spread('settle', { user = user }, items) end
end

local function part(user, other)
  call('SREM', 'circle' .. tag .. user, other)
  call('SREM', 'fans' .. tag .. other, user)
  call('SADD', 'strangers' .. tag .. other, user)
end

-- An edge other than favor: it may open or close the way from `other` to the user.
local function redraw(user, other)
  local was = call('SISMEMBER', 'circle' .. tag .. user, other) == 1
  local is = reaches(user, other)
  if is and not was then
    call('SADD', 'circle' .. tag .. user, other)
    call('SADD', 'fans' .. tag .. other, user)
    call('SREM', 'strangers' .. tag .. other, user)
    bring(user, other)
  elseif was and not is then
    part(user, other)
    review(user)
  elseif not is then
    call('SADD', 'strangers' .. tag .. other, user)
  end
end

local function unfavour(user, other)
  local key = 'favoured' .. tag .. other
  if call('SREM', key, user) == 0 then return false end
  if call('EXISTS', key) == 0 then call('SREM', 'favourites' .. here, other) end
  return true
end

local function favour(user, other, is)
  local key = 'favoured' .. tag .. other
  if call('SISMEMBER', 'fans' .. tag .. other, user) == 0 then
    call('SADD', 'strangers' .. tag .. other, user)
  end
  if is then
    call('SADD', key, user)
    call('SADD', 'favourites' .. here, other)
    exists.favourites = true
    bring(user, other)
  elseif unfavour(user, other) then
    review(user)
  end
end

local function edge(row, kind)
  local user, other = row.who, row.other
  local key = 'edges' .. tag .. kind .. ':' .. user
  local before = tonumber(call('ZSCORE', key, other) or nil)
  if before and before >= row.register then return end
  call('ZADD', key, digits(row.register), other)
  touch(user)
  if kind == 'favor' then
    favour(user, other, row.register % 2 == 0)
  else
    redraw(user, other)
  end
end

local function hide(row)
  local user, item = row.who, row.item
  local wrote, _, _, displaced =
    write('hidden' .. tag .. user, policy.acts_kept, item, row.register)
  if not wrote then return end
  if displaced then
    call('SREM', 'hiders' .. tag .. displaced.item, user)
    settle(user, displaced.item)
  end
  call(row.register % 2 == 0 and 'SADD' or 'SREM', 'hiders' .. tag .. item, user)
  settle(user, item)
end


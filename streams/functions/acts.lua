-- Registers: the last writer by `at` wins, off wins at equal times.

-- The least register by (at, member).
local function least(key)
  local first = call('ZRANGE', key, '0', '0', 'WITHSCORES')
  local member, register = first[1], tonumber(first[2])
  if register % 2 == 0 then
    local off = digits(register + 1)
    local rival = call('ZRANGE', key, off, off, 'BYSCORE', 'LIMIT', '0', '1')[1]
    if rival and precedes(rival, member) then return rival, register + 1 end
  end
  return member, register
end

-- Write a register, of which the newest `kept` exist in `key`; give whether it changed, the `at` it
-- was on before (0 when there is no telling, since it may have been on and forgotten), whether it
-- is the only one, and what it displaced where that was on.
local function write(key, kept, member, register)
  if call('ZADD', key, 'NX', digits(register), member) == 0 then
    local before = tonumber(call('ZSCORE', key, member))
    if before >= register then return false end
    call('ZADD', key, digits(register), member)
    return true, before % 2 == 0 and before / 2 or nil
  end
  local count = call('ZCARD', key)
  if count <= kept then return true, 0, count == 1 end
  local victim, was = least(key)
  call('ZREM', key, victim)
  if victim == member then return false end
  return true, 0, false, was % 2 == 0 and { item = victim, at = was / 2 } or nil
end

-- Write a register of acts, which are forgotten in time.
local function write_act(name, kept, item, register)
  local wrote, old, only, displaced = write('acts' .. tag .. name, kept, item, register)
  if only then call('ZADD', 'due' .. here, digits(floor(register / 2)), name) end
  return wrote, old, displaced
end

-- Acts that are in no feed: decided once, when an act is switched on, by how many fans there are. To
-- count the warm ones among a million would take longer than a call may.

local function keep_back(kind, actor, item, at)
  call('ZADD', 'pulled' .. tag .. kind .. ':' .. actor, digits(at), item)
  call('SADD', 'pulled' .. here, actor)
  exists.pulled = true
  touch_fans(actor)
end

-- An act that is no longer on need not be kept back; tell whether it was.
local function let_go(kind, actor, item)
  if not any('pulled') then return false end
  local key = 'pulled' .. tag .. kind .. ':' .. actor
  if call('ZREM', key, item) == 0 then return false end
  touch_fans(actor)
  local others = 'pulled' .. tag
  if call('EXISTS', others .. 'like:' .. actor, others .. 'share:' .. actor, others .. 'post:' .. actor) == 0 then
    call('SREM', 'pulled' .. here, actor)
  end
  return true
end

local function withdraw(kind, actor, item, at)
  if call('ZREM', 'actors' .. tag .. kind .. ':' .. item, actor) == 1 then
    disengage(item, kind, actor, at)
  end
  if kind == 'post' then disown(actor, item) end
  if not let_go(kind, actor, item) then reach('retract', { actor = actor, item = item }) end
end

-- Count a like or share in its item's own shard; `old` is when it was counted before, or nil. Of two
-- at the same moment, one by a young account, that one counts, whichever comes first.
local function count(row, kind, old)
  local actor, item, at = row.who, row.item, row.register / 2
  local counted = old and old > 0
  local was_young = counted and is_young(kind, actor, item)
  if row.young then
    call('ZADD', 'young' .. here, digits(at), kind .. '|' .. actor .. '|' .. item)
    exists.young = true
  elseif was_young then
    call('ZREM', 'young' .. here, kind .. '|' .. actor .. '|' .. item)
  end
  local lost = counted and attention(kind, old, was_young)
  engage(item, kind, actor, lost and 0 or 1, attention(kind, at, row.young), lost)
end

-- A second event of the same moment: what it says beyond the register counts, if it is the greater.
local function repeated(row, kind)
  local at = call('ZSCORE', 'actors' .. tag .. kind .. ':' .. row.item, row.who)
  if not at or 2 * tonumber(at) ~= row.register then return end
  if kind == 'post' then
    local topics = call('HGET', 'item' .. tag .. row.item, 'by:' .. row.who)
    if precedes(topics, row.other) then originate(row) end
  elseif row.young and row.own then
    count(row, kind, tonumber(at))
  end
end

local function act(row, kind)
  local actor, item, register = row.who, row.item, row.register
  if floor(register / 2) <= cut then return end
  local wrote, old, displaced = write_act(kind .. ':' .. actor, policy.acts_kept, item, register)
  if not wrote then return repeated(row, kind) end
  if register % 2 == 0 and not is_down(item) then
    call('ZADD', 'actors' .. tag .. kind .. ':' .. item, digits(register / 2), actor)
    if kind == 'post' then
      originate(row)
    elseif row.own then
      count(row, kind, old)
    end
    local moved = old and old > 0
    if moved and is_pulled(kind, actor, item)
      or not moved and call('SCARD', 'fans' .. tag .. actor) > policy.fan_out then
      keep_back(kind, actor, item, register / 2)
    else
      reach('signal', {
        actor = actor, kind = kind, item = item,
        moved = moved and old + policy.bonus[kind], score = row.score, value = tonumber(row.score),
      })
    end
  elseif old then
    withdraw(kind, actor, item, old)
  end
  -- After the signals: a retraction may rebuild a feed, which then holds them already.
  if displaced then withdraw(kind, actor, displaced.item, displaced.at) end
end

local function take_back(sender, user, item)
  call('ZREM', 'direct' .. tag .. item, user .. '|' .. sender)
  retract(user, item, acts_on(item))
end

local function direct(row)
  local sender, user, item = row.who, row.other, row.item
  if not row.own or floor(row.register / 2) <= cut then return end
  local wrote, old, displaced =
    write_act('direct:' .. sender .. '|' .. user, policy.direct_kept, item, row.register)
  if not wrote then return end
  call('SADD', 'sent' .. tag .. sender, user)
  call('SADD', 'senders' .. tag .. user, sender)
  if row.register % 2 == 0 and not is_down(item) then
    call('ZADD', 'direct' .. tag .. item, '0', user .. '|' .. sender)
    if is_awake(user) and call('SISMEMBER', 'circle' .. tag .. user, sender) == 1 then
      signal({
        actor = sender, kind = 'direct', item = item, acts = acts_on(item),
        moved = old and old > 0 and old + policy.bonus.direct,
        score = row.score, value = tonumber(row.score),
      }, { user })
    end
  elseif old then
    take_back(sender, user, item)
  end
  if displaced then take_back(sender, user, displaced.item) end
end

-- A view counts for the item at the item's home, and is remembered at the viewer's. Nothing else in a
-- call depends on either, so views are collected, and written once.

local function view(row, kind)   -- `seen` is a view that counts for nothing
  local user, item, at = row.who, row.item, floor(row.register / 2)
  if at <= cut then return end
  if row.mine then note(seen, user, row.register, item) end
  if kind == 'seen' or not row.own or is_down(item) then return end
  local half_hour = floor(at / HALF_HOUR)
  local found = views[half_hour] or { members = {}, items = {}, users = {}, scores = {} }
  views[half_hour] = found
  local n = #found.members + 1
  found.members[n], found.items[n], found.users[n], found.scores[n] = item .. '|' .. user, item, user, row.score
end

-- What a user saw, newest views only: the greater register is the newer.
local function write_seen(user, registers)
  local key = 'seen' .. tag .. user
  local added = add_all(key, registers, 'GT')
  if added == 0 then return end
  local count = call('ZCARD', key)
  if added == count then
    local oldest = registers[1]
    for k = 3, #registers, 2 do oldest = math.min(oldest, registers[k]) end
    call('ZADD', 'due' .. here, digits(floor(oldest / 2)), 'seen:' .. user)
  end
  for _ = policy.acts_kept + 1, count do call('ZREM', key, (least(key))) end
end

-- Of the views that an account gave an item in one half hour the strongest counts.
local function write_views(half_hour, found)
  local key, members = 'views' .. tag .. digits(half_hour), found.members
  local strongest, raised, is_new = {}, {}, false
  for first = 1, #members, SLICE do
    local last = math.min(first + SLICE - 1, #members)
    for n, stored in ipairs(call('ZMSCORE', key, unpack(members, first, last))) do
      local k = first + n - 1
      local member, contribution = members[k], tonumber(found.scores[k])
      local before = strongest[member] or tonumber(stored or nil)
      if not before or before < contribution then
        strongest[member] = contribution
        raised[#raised + 1], raised[#raised + 2] = found.scores[k], member
        engage(found.items[k], 'view', found.users[k], before and 0 or 1, contribution, before)
        is_new = is_new or not before
      end
    end
  end
  add_all(key, raised, 'GT')
  if is_new then
    call('ZADD', 'due' .. here, 'LT', digits((half_hour + 1) * HALF_HOUR), 'view:' .. digits(half_hour))
  end
end

local function write_collected()
  for user, registers in pairs(seen) do write_seen(user, registers) end
  for half_hour, found in pairs(views) do write_views(half_hour, found) end
end

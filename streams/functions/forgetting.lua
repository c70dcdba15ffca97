-- Forgetting: what is older than stream time - horizon, a bounded piece in every call.

local function forget_views(half_hour, limit)
  local key = 'views' .. tag .. half_hour
  local old = call('ZPOPMIN', key, limit)
  for k = 1, #old, 2 do
    local item, viewer = match(old[k], '^(.*)|(.*)$')
    if not is_down(item) then engage(item, 'view', viewer, -1) end
  end
  return #old / 2, call('EXISTS', key) == 1 and (half_hour + 1) * HALF_HOUR
end

-- When stretches of views made until `at` are due: after the last half hour of these.
local function after_views(at)
  return digits(floor(at) + 2 * HALF_HOUR)
end

-- Forget stretches of which no view is left: whoever counts again has to know of the others.
local function forget_shed(source, limit)
  local key, first = 'shed' .. tag .. source, first_half_hour()
  for forgotten = 0, limit - 1 do
    local at = match(call('LINDEX', key, '0') or '', '(%d+)$')
    if not at then return forgotten, nil end
    if floor(at / HALF_HOUR) >= first then return forgotten, after_views(at) end
    call('LPOP', key)
  end
  return limit, cut
end

-- Remember that of the views from offset `from` to `reached` a sample was counted.
local function note_shed(batch, from, reached)
  local key, at, halvings = 'shed' .. tag .. batch.source, batch.at, digits(batch.halvings)
  local begin, upto, of, latest = match(call('LINDEX', key, '-1') or '', '(%d+) (%d+) (%d+) (%d+)')
  local goes_on = begin and tonumber(upto) == from and of == halvings
  if goes_on then
    from, at = begin, math.max(at, tonumber(latest))
    call('RPOP', key)
  end
  call('RPUSH', key, table.concat({ digits(from), digits(reached), halvings, digits(at) }, ' '))
  if not begin then call('ZADD', 'due' .. here, after_views(at), 'shed:' .. batch.source) end
end

-- What else goes with a register that was on: of an act of `owner`, or of a share by name.
local function forget_act(kind, owner, item, at)
  let_go(kind, owner, item)
  if kind == 'direct' then
    local sender, user = match(owner, '^(.*)|(.*)$')
    call('ZREM', 'direct' .. tag .. item, user .. '|' .. sender)
  elseif call('ZREM', 'actors' .. tag .. kind .. ':' .. item, owner) == 1 then
    disengage(item, kind, owner, at)
    if kind == 'post' then disown(owner, item) end
  end
end

-- Forget some of what is due under a name; give how many, and when the next of it may be due.
local function forget(name, limit)
  local kind, owner = match(name, '^(%l+):(.*)$')
  if kind == 'view' then return forget_views(owner, limit) end
  if kind == 'shed' then return forget_shed(owner, limit) end
  local key = kind == 'seen' and 'seen' .. tag .. owner or 'acts' .. tag .. name
  local old = call('ZRANGE', key, '-inf', digits(2 * cut + 1), 'BYSCORE', 'LIMIT', '0', limit, 'WITHSCORES')
  for k = 1, #old, 2 do
    local item, register = old[k], tonumber(old[k + 1])
    call('ZREM', key, item)
    if kind ~= 'seen' and register % 2 == 0 then forget_act(kind, owner, item, register / 2) end
  end
  local oldest = call('ZRANGE', key, '0', '0', 'WITHSCORES')[2]
  if kind == 'direct' and not oldest then
    local sender, user = match(owner, '^(.*)|(.*)$')
    call('SREM', 'sent' .. tag .. sender, user)
    call('SREM', 'senders' .. tag .. user, sender)
  end
  return #old / 2, oldest and floor(oldest / 2)
end

local function sweep()
  local due = 'due' .. here
  for _, name in ipairs(call('ZRANGE', due, '-inf', digits(cut), 'BYSCORE', 'LIMIT', '0', SWEPT)) do
    local forgotten, oldest = forget(name, SLICE)
    work = work + forgotten
    if oldest then
      call('ZADD', due, digits(oldest), name)
    else
      call('ZREM', due, name)
    end
  end
  cool()
end


-- Feeds.

-- Put an entry in, or raise it, and the lowest out. A score that holds what left the horizon may be
-- higher already: it stays, since what a full feed pushed out counts on its entries not to sink.
local function put(feed, score, item)
  if call('ZADD', feed, 'GT', score, item) == 1 then
    call('ZREMRANGEBYRANK', feed, '0', policy.overflow)
  end
end

local function is_awake(user)
  return call('SISMEMBER', 'awake' .. here, user) == 1
end

local function better(a, b)   -- { item, score }: in the order of a feed
  if a[2] == b[2] then return precedes(b[1], a[1]) end
  return a[2] > b[2]
end

-- The kinds of acts that any of some accounts has done.
local function kinds_by(actors)
  local kinds = {}
  for _, kind in ipairs(KINDS) do
    local keys, prefix = {}, 'acts' .. tag .. kind .. ':'
    for n, actor in ipairs(actors) do keys[n] = prefix .. actor end
    if #keys > 0 and call('EXISTS', unpack(keys)) > 0 then kinds[#kinds + 1] = kind end
  end
  return kinds
end

-- The accounts whom the user favours.
local function favoured_by(user)
  local favoured = {}
  if not any('favourites') then return favoured end
  local edges = call('ZRANGE', 'edges' .. tag .. 'favor:' .. user, '0', '-1', 'WITHSCORES')
  for k = 1, #edges, 2 do favoured[edges[k]] = edges[k + 1] % 2 == 0 end
  return favoured
end

-- The strength of every item that the circle acts on, in likes of stream time: of what was pushed,
-- or of `all` acts.
local function strengths_of(user, all)
  local strengths, oldest = {}, 2 * cut + 1
  local doublings, favoured = 0.5 / policy.half_life, favoured_by(user)
  local select = not all and any('pulled')

  -- Add the acts of some accounts, of one kind: acts named by `prefix` and the account.
  local function add(kind, prefix, actors, suffix)
    local now = 2 * (cut + policy.horizon - policy.bonus[kind])
    for _, actor in ipairs(actors) do
      local found = call('ZRANGE', prefix .. actor .. suffix, '0', '-1', 'WITHSCORES')
      local since = favoured[actor] and now - 2 * policy.favor_bonus or now
      local kept_back = select and kind ~= 'direct' and #found > 0
        and call('SISMEMBER', 'pulled' .. here, actor) == 1
      for k = 1, #found, 2 do
        local item, register = found[k], tonumber(found[k + 1])
        if register % 2 == 0 and register > oldest and not (kept_back and is_pulled(kind, actor, item)) then
          strengths[item] = (strengths[item] or 0) + 2 ^ ((register - since) * doublings)
        end
      end
      work = work + #found / 8
    end
  end

  local circle = 'circle' .. tag .. user
  local members = call('SMEMBERS', circle)
  for first = 1, #members, MANY do
    local some = { unpack(members, first, math.min(first + MANY - 1, #members)) }
    for _, kind in ipairs(kinds_by(some)) do add(kind, 'acts' .. tag .. kind .. ':', some, '') end
  end
  work = work + #members / 2
  add('direct', 'acts' .. tag .. 'direct:', call('SINTER', circle, 'senders' .. tag .. user), '|' .. user)
  return strengths
end

-- Those of some entries that may be in the user's feed.
local function allowed(user, entries)
  local items, kept = {}, {}
  for n, entry in ipairs(entries) do items[n] = entry[1] end
  local taken = any('down') and call('SMISMEMBER', 'down' .. here, unpack(items)) or {}
  local hidden = call('ZMSCORE', 'hidden' .. tag .. user, unpack(items))
  for n, entry in ipairs(entries) do
    local hides = hidden[n] and hidden[n] % 2 == 0
    if taken[n] ~= 1 and not hides then kept[#kept + 1] = entry end
  end
  return kept
end

-- The feed as the definition has it, best first: { item, score } of the feed_size best items.
local function pull(user, all)
  local now, half_life, size = cut + policy.horizon, policy.half_life, policy.feed_size
  local best, found, least = {}, {}, 0
  local function trim()   -- of what was found since, only what is allowed counts
    for _, entry in ipairs(#found > 0 and allowed(user, found) or {}) do best[#best + 1] = entry end
    found = {}
    if #best <= size then return end
    local scores, kept = {}, {}   -- numbers alone are sorted far faster than entries
    for n, entry in ipairs(best) do scores[n] = entry[2] end
    table.sort(scores)
    local lowest = scores[#scores - size + 1]
    for _, entry in ipairs(best) do
      if entry[2] >= lowest then kept[#kept + 1] = entry end
    end
    best, least = kept, 2 ^ ((lowest - 2 - now) / half_life)   -- 2 ms: scores are rounded
  end
  for item, strength in pairs(strengths_of(user, all)) do
    if strength >= least then
      found[#found + 1] = { item, floor(now + half_life * log(strength) / LN2 + 0.5) }
      if #found == 2 * size then trim() end
    end
  end
  trim()
  table.sort(best, better)
  for n = #best, size + 1, -1 do best[n] = nil end
  return best
end

local function rebuild(user)
  local feed, entries = 'feed' .. tag .. user, {}
  for _, entry in ipairs(pull(user, false)) do
    entries[#entries + 1], entries[#entries + 2] = digits(entry[2]), entry[1]
  end
  call('DEL', feed)
  call('HDEL', 'floor' .. here, user)
  if #entries > 0 then call('ZADD', feed, unpack(entries)) end
end

-- A user is warm: their feed is kept up to date from now on. Nothing reaches who has no circle.
local function wake(user, at)
  if call('EXISTS', 'circle' .. tag .. user) == 0 then return end
  call('ZADD', 'warm' .. here, 'GT', digits(at), user)
  exists.awake = true
  if call('SADD', 'awake' .. here, user) == 1 then rebuild(user) end
end

-- A user acts: note it, to the hour.
local function stir(user, at)
  work = work + 0.1
  if at <= cut + policy.horizon - policy.warm then return end
  local last = call('ZSCORE', 'warm' .. here, user)
  if not last or at > last + HOUR then wake(user, at) end
end

-- Give up the feeds of those who have not been seen for long; not while a job may still write them.
local function cool()
  local warm, latest = 'warm' .. here, digits(cut + policy.horizon - policy.warm)
  if call('EXISTS', 'job' .. here) == 1 then return end
  for _, user in ipairs(call('ZRANGE', warm, '-inf', latest, 'BYSCORE', 'LIMIT', '0', COOLED)) do
    call('ZREM', warm, user)
    call('SREM', 'awake' .. here, user)
    call('DEL', 'feed' .. tag .. user)
    call('HDEL', 'floor' .. here, user)
    work = work + 1
  end
end

local function floor_of(user)
  return call('HGET', 'floor' .. here, user)
end

-- An entry of a feed sinks or goes. What a full feed ever pushed out lies at or below its lowest
-- score: beneath that the feed is no longer to be trusted.
local function lower(user, feed, item, score)
  local lowest = call('ZCARD', feed) >= policy.feed_size
    and call('ZRANGE', feed, '0', '0', 'WITHSCORES')[2]
  if score then
    call('ZADD', feed, digits(score), item)
  else
    call('ZREM', feed, item)
  end
  local trusted = floor_of(user)
  if lowest and not (score and score >= tonumber(lowest))
    and not (trusted and tonumber(trusted) >= tonumber(lowest)) then
    trusted = lowest
    call('HSET', 'floor' .. here, user, lowest)
  end
  if trusted and call('ZCOUNT', feed, '(' .. trusted, '+inf') < policy.feed_size / 2 then
    rebuild(user)
  end
end


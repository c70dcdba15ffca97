-- The candidates of a draw.

local SOURCES = { social = 1, trending = 2, taste = 4, fresh = 8 }   -- what brought a candidate
local DEEPEST = 1000   -- places of a list, which is not looked at beyond

-- What tells the taste of the user: { kind, at, topics }, of each kind what is on among the newest.
local function likings_of(user, count)
  local likings = {}
  local keys = {
    like = 'acts' .. tag .. 'like:' .. user, share = 'acts' .. tag .. 'share:' .. user,
    completed = 'seen' .. tag .. user, hide = 'hidden' .. tag .. user,
  }
  for kind, key in pairs(keys) do
    local found = call('ZRANGE', key, '+inf', digits(2 * cut + 2), 'BYSCORE', 'REV',
      'LIMIT', '0', count, 'WITHSCORES')
    for k = 1, #found, 2 do
      local register = tonumber(found[k + 1])
      if (register % 2 == 1) == (kind == 'completed') then
        local topics = call('HGET', 'item' .. tag .. found[k], 'topics')
        if topics and topics ~= '' then likings[#likings + 1] = { kind, floor(register / 2), topics } end
      end
    end
  end
  return likings
end

-- The topics that the user likes most.
local function favourite_topics(likings, wanted)
  local strengths, topics, now = {}, {}, cut + policy.horizon
  for _, liking in ipairs(likings) do
    local sign = liking[1] == 'hide' and -1 or 1
    local strength = sign * wanted.weights[liking[1]] * 2 ^ ((liking[2] - now) / wanted.taste_half_life)
    for topic in string.gmatch(liking[3], '[^,]+') do
      if not strengths[topic] then topics[#topics + 1] = topic end
      strengths[topic] = (strengths[topic] or 0) + strength
    end
  end
  table.sort(topics, function(a, b)
    if strengths[a] == strengths[b] then return precedes(a, b) end
    return strengths[a] > strengths[b]
  end)
  local liked = {}
  for k = 1, math.min(wanted.topics, #topics) do
    if strengths[topics[k]] > 0 then liked[#liked + 1] = topics[k] end
  end
  return liked
end

local function is_recent(register) return floor(register / 2) > cut end
local function is_live(act) return is_on(act) and is_recent(act) end
local function is_member(found) return found == 1 end

-- What tells of some items which the user has seen, acted on and hidden: lists of these, and all of
-- them (-> true). What exists is asked once.
local function marker_of(user)
  local keys = {}
  local function look(what, key, test)
    if call('EXISTS', key) == 1 then keys[#keys + 1] = { what, key, test } end
  end
  look('seen', 'seen' .. tag .. user, is_recent)
  look('hidden', 'hidden' .. tag .. user, is_on)
  for _, kind in ipairs(KINDS) do look('acted', 'acts' .. tag .. kind .. ':' .. user, is_live) end
  return function(items)
    local found, marked = { seen = {}, acted = {}, hidden = {} }, {}
    for _, key in ipairs(#items > 0 and keys or {}) do
      for n, register in ipairs(call('ZMSCORE', key[2], unpack(items))) do
        if register and key[3](tonumber(register)) then
          local list, item = found[key[1]], items[n]
          list[#list + 1], marked[item] = item, true
        end
      end
    end
    return found, marked
  end
end

-- The first `count` of a list that are not marked, looked for ever farther down.
local function unmarked(key, count, marks)
  local kept, first, last = {}, 0, count - 1
  while #kept < count and first < DEEPEST do
    local names = call('ZRANGE', key, first, last, 'REV')
    local _, marked = marks(names)
    for _, item in ipairs(names) do
      if not marked[item] and #kept < count then kept[#kept + 1] = item end
    end
    if #names <= last - first then break end
    first, last = last + 1, 2 * last + 1
  end
  return kept
end

-- All candidates, each once, in the order in which they are found: those of the feed (`in_feed`) first;
-- what brought each; and those that may be marked: what a list alone brings has been asked for.
local function gather(in_feed, wanted, likings, marks)
  local items, sources = {}, {}
  for k = 1, #in_feed, 2 do
    local item = in_feed[k]
    items[#items + 1], sources[item] = item, SOURCES.social
  end
  local function add(item, source)
    local known = sources[item]
    if not known then
      items[#items + 1], sources[item] = item, source
    elseif source > 0 and floor(known / source) % 2 == 0 then
      sources[item] = known + source
    end
  end
  local function add_top(key, count, source)
    for _, item in ipairs(unmarked(key, count, marks)) do add(item, source) end
  end
  add_top('trending' .. here, wanted.trending, SOURCES.trending)
  for _, topic in ipairs(favourite_topics(likings, wanted)) do
    add_top('trending' .. tag .. topic, wanted.per_topic, SOURCES.taste)
  end
  add_top('fresh' .. here, wanted.fresh, SOURCES.fresh)
  for _, item in ipairs(wanted.also) do add(item, 0) end
  local doubtful = {}
  for _, item in ipairs(items) do
    if sources[item] == 0 or sources[item] % 2 == SOURCES.social then doubtful[#doubtful + 1] = item end
  end
  return items, sources, doubtful
end

-- All that is known of a candidate; nil where the circle alone brought it, and does no more.
local function described(reader, item, sources, social, wanted)
  if is_down(item) then return nil end
  local proofs, count, actors, all = shown_proofs(reader, item, wanted.proofs)
  if count == 0 then
    if social and sources == SOURCES.social then return nil end
    if social then sources, social = sources - SOURCES.social, nil end
  elseif not social then
    social = all and score_by(reader.user, all) or score_of(reader.user, item, acts_on(item), true)
    sources = sources + SOURCES.social
  end
  local known = call('HMGET', 'item' .. tag .. item, 'author', 'topics', 'at', 'score', 'likes', 'shares', 'views')
  if reader.unsure and known[1] and is_erased(known[1]) then known[1], known[2], known[3] = nil, nil, nil end
  return {
    item, sources, known[1] or '', known[2] or '', known[3] or '0', social or NEVER, proofs, actors,
    known[4] or NEVER, known[7] or '0', known[5] or '0', known[6] or '0',
  }
end

-- How far a draw goes down the feed: `takes` says whether to describe a candidate, `took` counts one.
-- Only what waits since the first page counts, where there is one. Who cut somebody off is shown all.
local function window_of(reader, wanted, sources, marked)
  local room, waiting = wanted.window or math.huge, nil
  if reader.unsure or has_cut_off(reader.user) then room = math.huge end
  if #wanted.also > 0 then waiting = {} end
  for _, item in ipairs(wanted.also) do waiting[item] = true end
  local function counts(item) return sources[item] == SOURCES.social and not (waiting and not waiting[item]) end
  local function takes(item) return room > 0 or not counts(item) end
  local function took(item, author, actors)
    local shown = author ~= reader.user and actors >= (wanted.threshold or 1) and not marked[item]
    if shown and counts(item) then room = room - 1 end
  end
  return takes, took
end

-- What a page of a reader is made of, as `draw` says below; no reader is there before any event.
local function drawn(reader, wanted)
  if not reader then return { {}, {}, {}, {}, {}, {}, {}, {}, {} } end
  local user, feed = reader.user, reader.feed
  local likings = likings_of(user, wanted.likings)
  local candidates, behind, accounts, named = {}, {}, {}, {}
  local function name(account)
    if account ~= '' and not named[account] then
      named[account] = true
      accounts[#accounts + 1] = account
    end
  end
  local marks = marker_of(user)
  local items, sources, doubtful = gather(feed, wanted, likings, marks)
  local found, marked = marks(doubtful)
  local takes, took = window_of(reader, wanted, sources, marked)
  for n, item in ipairs(items) do
    local all = takes(item) and described(reader, item, sources[item], tonumber(feed[2 * n] or nil), wanted)
    if all then
      candidates[#candidates + 1] = all
      took(item, all[3], all[8])
      name(all[3])
      for _, proof in ipairs(all[7]) do name(proof[2]) end
    elseif all == false and not marked[item] then
      behind[#behind + 1] = item
    end
  end
  return {
    likings,
    chosen('SMISMEMBER', 'circle' .. tag .. user, accounts, is_member),
    chosen('ZMSCORE', 'edges' .. tag .. 'favor:' .. user, accounts, is_on),
    { unpack(apart_of(user, accounts)) },
    found.seen, found.acted, found.hidden, candidates, behind,
  }
end

--[[
draw(fence:{s}, user, wanted): all that a page of the user is made of, as of one moment (msgpack):
{ likings { kind, at, topics }, accounts { in the circle, favoured, cut off } among authors
and actors, items { seen, acted, hidden } among candidates, candidates { item, sources, author, topics,
posted at, social score, proofs, number of actors, trending score, views, likes, shares }, items of
the feed { beyond the window } }.
Wanted (msgpack): how many are `trending`, trending in each of how many `topics` (`per_topic`), and
`fresh`, of what the user has not seen, acted on or hidden; items to look at `also`; `window`, of how
many of the feed that may be shown, `threshold` accounts having acted on them, all is told (absent: of
all); `proofs` of each; of a taste the number of `likings` of each kind, `weights` and
`taste_half_life` (ms); the `mark` of the policy that the reader knows of.
]]
local function draw(keys, args)
  open(keys[1], nil, 0)
  local wanted = cmsgpack.unpack(args[2])
  local refusal = misread(nil, wanted.mark)
  if refusal then return redis.error_reply(refusal) end
  return cmsgpack.pack(drawn(policy and reader_of(args[1]), wanted))
end


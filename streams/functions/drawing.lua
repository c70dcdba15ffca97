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

-- What the user has done with items that are asked of by `look`: those `seen`, `acted` on and `hidden`
-- (-> true), and all of these (`marked`). What exists is asked once.
local function marks_of(user)
  local marks, keys = { seen = {}, acted = {}, hidden = {}, marked = {} }, {}
  local function look_in(what, key, test)
    if call('EXISTS', key) == 1 then keys[#keys + 1] = { what, key, test } end
  end
  look_in('seen', 'seen' .. tag .. user, is_recent)
  look_in('hidden', 'hidden' .. tag .. user, is_on)
  for _, kind in ipairs(KINDS) do look_in('acted', 'acts' .. tag .. kind .. ':' .. user, is_live) end
  function marks.look(items)
    for _, key in ipairs(#items > 0 and keys or {}) do
      local set, test, registers = marks[key[1]], key[3], call('ZMSCORE', key[2], unpack(items))
      for n = 1, #items do
        local register = registers[n]
        if register and test(tonumber(register)) then
          local item = items[n]
          set[item], marks.marked[item] = true, true
        end
      end
    end
  end
  return marks
end

-- The lists from which candidates come, with what is at the top of each: { key, count, source, items }.
local function lists_of(likings, wanted)
  local lists = {}
  local function add(key, count, source)
    lists[#lists + 1] = { key, count, source, call('ZRANGE', key, 0, count - 1, 'REV') }
  end
  add('trending' .. here, wanted.trending, SOURCES.trending)
  for _, topic in ipairs(favourite_topics(likings, wanted)) do
    add('trending' .. tag .. topic, wanted.per_topic, SOURCES.taste)
  end
  add('fresh' .. here, wanted.fresh, SOURCES.fresh)
  return lists
end

-- The first of a list that are not marked, looked for ever farther down.
local function unmarked(list, marks)
  local key, count, _, items = unpack(list)
  local marked, kept, first, last = marks.marked, {}, 0, count - 1
  while true do
    for n = 1, #items do
      if not marked[items[n]] and #kept < count then kept[#kept + 1] = items[n] end
    end
    if #kept == count or #items <= last - first or last + 1 >= DEEPEST then return kept end
    first, last = last + 1, 2 * last + 1
    items = call('ZRANGE', key, first, last, 'REV')
    marks.look(items)
  end
end

-- All candidates, each once, in the order in which they are found: those of the feed (`in_feed`) first;
-- and what brought each.
local function gather(in_feed, wanted, likings, marks)
  local items, sources, lists, asked = {}, {}, lists_of(likings, wanted), {}
  for n = 1, #in_feed / 2 do
    local item = in_feed[2 * n - 1]
    items[n], asked[n], sources[item] = item, item, SOURCES.social
  end
  for _, list in ipairs(lists) do
    local top, before = list[4], #asked
    for n = 1, #top do asked[before + n] = top[n] end
  end
  marks.look(asked)
  marks.look(wanted.also)
  local function add(some, source)
    for n = 1, #some do
      local item = some[n]
      local known = sources[item]
      if not known then
        items[#items + 1], sources[item] = item, source
      elseif source > 0 and floor(known / source) % 2 == 0 then
        sources[item] = known + source
      end
    end
  end
  for _, list in ipairs(lists) do add(unmarked(list, marks), list[3]) end
  add(wanted.also, 0)
  return items, sources
end

-- All that is known of a candidate; nil where the circle alone brought it, and does no more.
local function described(reader, item, sources, social, wanted)
  if is_down(item) then return nil end
  local proofs, count, actors = shown_proofs(reader, item, wanted.proofs)
  if count == 0 then
    if social and sources == SOURCES.social then return nil end
    if social then sources, social = sources - SOURCES.social, nil end
  elseif not social then
    social = score_by(reader.user, count == #proofs and proofs or shown_proofs(reader, item, math.huge))
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
  local marks = marks_of(user)
  local items, sources = gather(feed, wanted, likings, marks)
  local takes, took = window_of(reader, wanted, sources, marks.marked)
  local function candidates_in(set)
    local kept = {}
    for item in pairs(set) do
      if sources[item] then kept[#kept + 1] = item end
    end
    return kept
  end
  for n = 1, #items do
    local item = items[n]
    local all = takes(item) and described(reader, item, sources[item], tonumber(feed[2 * n] or nil), wanted)
    if all then
      candidates[#candidates + 1] = all
      took(item, all[3], all[8])
      name(all[3])
      for _, proof in ipairs(all[7]) do name(proof[2]) end
    elseif all == false and not marks.marked[item] then
      behind[#behind + 1] = item
    end
  end
  return {
    likings,
    chosen('SMISMEMBER', 'circle' .. tag .. user, accounts, is_member),
    chosen('ZMSCORE', 'edges' .. tag .. 'favor:' .. user, accounts, is_on),
    { unpack(apart_of(user, accounts)) },
    candidates_in(marks.seen), candidates_in(marks.acted), candidates_in(marks.hidden), candidates, behind,
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


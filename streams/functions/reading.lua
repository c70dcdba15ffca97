-- What readers ask for. None of it writes, so a replica may answer.

-- The newest of many acts of one kind, as `acts_in` gives them: the latest are looked up in the circle, some
-- at a time; nil where too few of them are in it.
local function newest_of_many(reader, item, kind, most)
  local key, newest = 'actors' .. tag .. kind .. ':' .. item, {}
  local first, last = 0, NAMED - 1
  while last < LATEST do
    local found = call('ZRANGE', key, first, last, 'REV', 'WITHSCORES')
    local actors = {}
    for k = 1, #found, 2 do actors[#actors + 1] = found[k] end
    if #actors == 0 then return newest end
    for n, is in ipairs(call('SMISMEMBER', reader.circle, unpack(actors))) do
      local at = tonumber(found[2 * n])
      if is == 1 and at > cut then
        table.insert(newest, 1, at + 1)
        table.insert(newest, 1, actors[n])
      end
      if #newest == 2 * most then return newest end
    end
    first, last = last + 1, 2 * last + 1
  end
  return nil
end

-- The acts of one kind on an item by a reader's circle, oldest first, and how many more there are. Where
-- many are in a wide circle only the newest are told, and all are counted, up to COUNTED.
local function told_acts(reader, item, kind, most)
  if reader.wide and most < NAMED then
    local key = 'actors' .. tag .. kind .. ':' .. item
    local count = call('ZCARD', key)
    if count > NAMED then count = call('ZINTERCARD', '2', reader.circle, key, 'LIMIT', COUNTED) end
    local newest = count > NAMED and newest_of_many(reader, item, kind, most)
    if newest then return newest, count - #newest / 2 end
  end
  return acts_in(reader.circle, item, kind), 0
end

-- Those of some acts that are not an erased account's.
local function unerased(acts)
  local left = {}
  for k = 1, #acts, 2 do
    if not is_erased(acts[k]) then left[#left + 1], left[#left + 2] = acts[k], acts[k + 1] end
  end
  return left
end

local function newer(a, b) return a[3] > b[3] end

-- The newest live proofs of an item for a reader, newest first, at most `most`; how many acts there are,
-- and how many actors. While a job is open an erased account may be among them, and a feed may have what
-- was taken down: both are left out.
local function shown_proofs(reader, item, most)
  local proofs, count, lists, only = {}, 0, nil, nil
  if is_down(item) then return proofs, 0, 0 end
  for _, kind in ipairs(reader.kinds) do
    local acts, more = told_acts(reader, item, kind, most)
    if reader.unsure then acts = unerased(acts) end
    local length = #acts
    if length > 0 then
      if only then lists = lists or { only } end
      if lists then lists[#lists + 1] = acts end
      only, count = acts, count + length / 2 + more
      for k = length - 1, math.max(1, length + 1 - 2 * most), -2 do
        proofs[#proofs + 1] = { kind, acts[k], acts[k + 1] - 1 }
      end
    end
  end
  local shares = reader.is_named and shares_in(reader.circle, item, reader.user) or {}
  if not lists and #shares == 0 then return proofs, count, count end

  local actors, again = {}, 0   -- who did more than one thing counts once
  local function note_actor(who)
    again = again + (actors[who] and 1 or 0)
    actors[who] = true
  end
  for _, share in ipairs(shares) do
    if not (reader.unsure and is_erased(share[2])) then
      proofs[#proofs + 1], count = share, count + 1
      note_actor(share[2])
    end
  end
  for _, acts in ipairs(lists or { only }) do
    for k = 1, #acts, 2 do note_actor(acts[k]) end
  end
  table.sort(proofs, newer)
  for k = most + 1, #proofs do proofs[k] = nil end
  return proofs, count, count - again
end

-- The acts of the user's circle that are in no feed: the strength of each item, in likes of stream
-- time; nil where there are none.
local function kept_back(user)
  local actors = any('pulled') and call('SINTER', 'circle' .. tag .. user, 'pulled' .. here) or {}
  if #actors == 0 then return nil end
  local strengths, now, half_life = {}, cut + policy.horizon, policy.half_life
  for _, actor in ipairs(actors) do
    local more = tie(user, actor)
    for _, kind in ipairs(KINDS) do
      local since = now - policy.bonus[kind] - more
      local found = call('ZRANGE', 'pulled' .. tag .. kind .. ':' .. actor, '(' .. digits(cut), '+inf',
        'BYSCORE', 'WITHSCORES')
      for k = 1, #found, 2 do
        strengths[found[k]] = (strengths[found[k]] or 0) + 2 ^ ((found[k + 1] - since) / half_life)
      end
    end
  end
  return strengths
end

-- A stored feed, as `found`, with the acts that are in no feed merged into it. What a full feed lacks of
-- other acts on such an item lies below its lowest entry, or its floor: it is looked up where it may matter.
local function merged(user, found, strengths)
  local feed, stored = {}, {}
  for k = 1, #found, 2 do
    local entry = { found[k], tonumber(found[k + 1]) }
    feed[#feed + 1], stored[found[k]] = entry, entry
  end
  local now, half_life = cut + policy.horizon, policy.half_life
  local low = tonumber(floor_of(user) or NEVER)
  if #feed >= policy.feed_size then low = math.max(low, feed[#feed][2]) end
  for item, strength in pairs(strengths) do
    local score, entry = now + half_life * log(strength) / LN2, stored[item]
    if entry then
      entry[2] = floor(merge(entry[2], score, half_life) + 0.5)
    elseif not is_barred(user, item) then
      feed[#feed + 1] = { item, floor(score + 0.5), low > NEVER }
    end
  end
  table.sort(feed, better)
  local least = feed[policy.feed_size] and feed[policy.feed_size][2] or NEVER
  for _, entry in ipairs(feed) do
    if entry[3] and merge(entry[2], low, half_life) + 1 >= least then
      entry[2] = score_of(user, entry[1], acts_on(entry[1]), true)
    end
  end
  table.sort(feed, better)
  return feed
end

-- A user's feed, best first: { item, effective time, item, ... }, as the store gives it; a cold user's
-- is made of their circle's acts.
local function feed_of(user)
  local entries, feed
  if is_awake(user) then
    feed = call('ZRANGE', 'feed' .. tag .. user, '0', digits(policy.feed_size - 1), 'REV', 'WITHSCORES')
    local strengths = kept_back(user)
    if not strengths then return feed end
    entries = merged(user, feed, strengths)
  else
    entries = pull(user, true)
  end
  feed = {}
  for k = 1, math.min(#entries, policy.feed_size) do
    feed[2 * k - 1], feed[2 * k] = entries[k][1], entries[k][2]
  end
  return feed
end

-- Those of `names` for which `test` holds of their score in a sorted set, or membership in a set.
local function chosen(command, key, names, test)
  local kept = {}
  if #names == 0 or call('EXISTS', key) == 0 then return kept end
  for k, score in ipairs(call(command, key, unpack(names))) do
    if score and test(tonumber(score)) then kept[#kept + 1] = names[k] end
  end
  return kept
end

local function is_on(register) return register % 2 == 0 end

-- Those of `accounts` whom the user cut off, or who cut the user off.
local function apart_of(user, accounts)
  local apart, edges = {}, 'edges' .. tag
  for _, kind in ipairs({ 'block', 'blocked', 'mute' }) do
    for _, other in ipairs(chosen('ZMSCORE', edges .. kind .. ':' .. user, accounts, is_on)) do
      apart[#apart + 1], apart[other] = other, true
    end
  end
  return apart
end

local function has_cut_off(user)
  local edges = 'edges' .. tag
  return call('EXISTS', edges .. 'block:' .. user, edges .. 'blocked:' .. user, edges .. 'mute:' .. user) > 0
end

-- The authors of a feed's items, in their order; '' where there is none.
local function authors_of(feed)
  local authors = {}
  for k = 1, #feed, 2 do authors[#authors + 1] = call('HGET', 'item' .. tag .. feed[k], 'author') or '' end
  return authors
end

-- Who reads: their feed, and what is asked once a call and spares asking for every item.
local function reader_of(user)
  local circle = 'circle' .. tag .. user
  local reader = {
    user = user, feed = feed_of(user), circle = circle, kinds = KINDS, wide = call('SCARD', circle) > WIDE,
    is_named = call('EXISTS', 'senders' .. tag .. user) == 1, unsure = any('job') and any('erased'),
  }
  if not reader.wide then reader.kinds = kinds_by(call('SMEMBERS', circle)) end
  return reader
end

-- The top of a reader's feed, each entry with its newest proofs, at most `most`.
local function entries_of(reader, limit, most)
  local entries, feed = {}, reader.feed
  local authors = has_cut_off(reader.user) and authors_of(feed) or {}
  local apart = apart_of(reader.user, authors)
  for k = 1, #feed, 2 do
    if #entries == limit then break end
    local proofs, count = shown_proofs(reader, feed[k], most)
    if count > 0 and not apart[authors[(k + 1) / 2] or ''] then
      entries[#entries + 1] = { feed[k], digits(feed[k + 1]), count, proofs }
    end
  end
  return entries
end

-- page(fence:{s}, user, limit[, proofs[, shards]]): the top of a feed, best first, each entry with its newest
-- proofs: { { item, effective time, number of proofs, { { kind, who, at }, ... } }, ... }. An entry
-- whose proofs are all gone (a job is taking it out) is left out, and so is what is by somebody whom
-- the user cut off, or who cut the user off.
local function page(keys, args)
  open(keys[1], nil, 0)
  local user, limit, most = args[1], tonumber(args[2]), tonumber(args[3] or '3')
  if not (user and limit and most and limit >= 0 and most >= 0) then
    return redis.error_reply('ERR give a user, a number of entries and, if you like, one of proofs')
  end
  local refusal = misread(args[4])
  if refusal then return redis.error_reply(refusal) end
  return policy and entries_of(reader_of(user), limit, most) or {}
end

-- live: what `page` gives, and the author and topics of each entry ('' where there is none), as msgpack.
local function live(keys, args)
  local entries = page(keys, args)
  if entries.err then return entries end
  local unsure = any('job') and any('erased')
  for _, entry in ipairs(entries) do
    local known = call('HMGET', 'item' .. tag .. entry[1], 'author', 'topics')
    if unsure and known[1] and is_erased(known[1]) then known = {} end
    entry[5], entry[6] = known[1] or '', known[2] or ''
  end
  return cmsgpack.pack(entries)
end

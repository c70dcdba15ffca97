-- Engagement, in the item's own shard: exact counters, and a score under the trending half-life.
-- What an author does with an item of their own counts nothing.

local COUNTER = { like = 'likes', share = 'shares', view = 'views' }

local function trending_of(topics)
  local keys = { 'trending' .. here }
  for topic in string.gmatch(topics or '', '[^,]+') do
    keys[#keys + 1] = 'trending' .. tag .. topic
  end
  return keys
end

-- Nothing counts for the item any more.
local function unlist(item, topics)
  engaged[item] = nil
  call('HDEL', 'item' .. tag .. item, 'likes', 'shares', 'views', 'score')
  for _, trending in ipairs(trending_of(topics)) do call('ZREM', trending, item) end
end

-- What counts for the item, as far as the call has come.
local function engagement_of(item)
  local known = engaged[item]
  if not known then
    local now = call('HMGET', 'item' .. tag .. item, 'score', 'topics', 'likes', 'shares', 'views', 'author')
    known = {
      score = tonumber(now[1] or nil), topics = now[2], author = now[6],
      like = tonumber(now[3] or nil), share = tonumber(now[4] or nil), view = tonumber(now[5] or nil),
    }
    engaged[item] = known
  end
  return known
end

local function counts_nothing(known)
  return (known.like or 0) + (known.share or 0) + (known.view or 0) == 0
end

-- Write down what counts for items (item -> anything): once a call, but of an item before it is read or
-- written elsewhere. Each list of what trends is written to once.
local function write_counts(items)
  local lists, keys = {}, {}
  for item in pairs(items) do
    local now = engaged[item]
    engaged[item] = nil
    if now and now.changed then
      local score = format('%.17g', now.score)
      local columns = { 'score', score }
      for kind, counter in pairs(COUNTER) do
        if now[kind] then columns[#columns + 1], columns[#columns + 2] = counter, digits(now[kind]) end
      end
      call('HSET', 'item' .. tag .. item, unpack(columns))
      local topics = now.topics or ''
      keys[topics] = keys[topics] or trending_of(topics)
      for _, trending in ipairs(keys[topics]) do
        note(lists, trending, score, item)
      end
    end
  end
  for trending, list in pairs(lists) do add_all(trending, list, 'CH') end
end

-- `by` is whose act it is: an author's own counts nothing.
local function engage(item, kind, by, change, gained, lost)
  local now = engagement_of(item)
  if by and now.author == by then return end
  now.changed, now[kind] = true, (now[kind] or 0) + change
  if counts_nothing(now) then return unlist(item, now.topics) end
  if now.score and lost then now.score = without(now.score, lost, policy.trending_half_life) end
  if gained then now.score = now.score and merge(now.score, gained, policy.trending_half_life) or gained end
end

-- Whether a like or share that counts here is one of a young account.
local function is_young(kind, actor, item)
  return any('young') and call('ZSCORE', 'young' .. here, kind .. '|' .. actor .. '|' .. item)
end

-- What a like or share made at `at` adds to its item's trending score.
local function attention(kind, at, young)
  return at + policy.trending_bonus[kind] + (young and policy.young_bonus or 0)
end

-- A like or share was taken back, or forgotten. Where the item is not at home nothing was counted.
local function disengage(item, kind, actor, at)
  if not COUNTER[kind] then return end
  local young = is_young(kind, actor, item)
  if engagement_of(item)[kind] then engage(item, kind, actor, -1, nil, attention(kind, at, young)) end
  if young then call('ZREM', 'young' .. here, kind .. '|' .. actor .. '|' .. item) end
end

-- The earliest half hour of which views may be left: forgetting lags a little behind the horizon.
local function first_half_hour()
  local oldest = call('ZRANGE', 'due' .. here, '0', '0', 'WITHSCORES')[2]
  return floor(math.min(cut, tonumber(oldest or cut)) / HALF_HOUR) - 1
end

-- An item got an author: their own acts on it count no more (`change` -1), or again (1).
local function recount(item, author, change)
  for _, kind in ipairs({ 'like', 'share' }) do
    local at = tonumber(call('ZSCORE', 'actors' .. tag .. kind .. ':' .. item, author) or nil)
    local contribution = at and attention(kind, at, is_young(kind, author, item))
    if at then engage(item, kind, nil, change, change > 0 and contribution, change < 0 and contribution) end
  end
  if change < 0 and (engagement_of(item).view or 0) == 0 then return end   -- as when a new item is posted
  for half_hour = first_half_hour(), floor((cut + policy.horizon) / HALF_HOUR) do
    local view = tonumber(call('ZSCORE', 'views' .. tag .. digits(half_hour), item .. '|' .. author) or nil)
    if view then engage(item, 'view', nil, change, change > 0 and view, change < 0 and view) end
  end
end

-- Author and topics of an item are those of the post with the smallest (at, author), whosever that
-- is now; `by:<author>` keeps the topics of each author's.
local function reauthor(item)
  local key = 'item' .. tag .. item
  alter(item)
  write_counts({ [item] = true })
  local was = call('HMGET', key, 'author', 'topics', 'home')
  local first = call('ZRANGE', 'actors' .. tag .. 'post:' .. item, '0', '0', 'WITHSCORES')
  local author, at, home = first[1], first[2], was[3]
  local topics = author and call('HGET', key, 'by:' .. author) or ''
  if author then
    call('HSET', key, 'author', author, 'topics', topics, 'at', at)
  elseif was[1] then
    call('HDEL', key, 'author', 'topics', 'at')
  end
  if not home then return end
  if not author then
    call('ZREM', 'fresh' .. here, item)
  elseif call('ZADD', 'fresh' .. here, at, item) == 1 then
    call('ZREMRANGEBYRANK', 'fresh' .. here, '0', digits(-1 - FRESH_KEPT))
  end
  if was[1] and was[1] ~= author then recount(item, was[1], 1) end
  write_counts({ [item] = true })
  local score = call('HGET', key, 'score')
  for k, trending in ipairs(trending_of(was[2] or '')) do
    if k > 1 then call('ZREM', trending, item) end
  end
  if score then
    for _, trending in ipairs(trending_of(topics)) do call('ZADD', trending, score, item) end
  end
  if author and was[1] ~= author then recount(item, author, -1) end
end

-- A post's register was written; `actors` have it already.
local function originate(row)
  local key = 'item' .. tag .. row.item
  call('HSET', key, 'by:' .. row.who, row.other)
  if row.own then call('HSET', key, 'home', '1') end
  reauthor(row.item)
end

local function disown(author, item)
  call('HDEL', 'item' .. tag .. item, 'by:' .. author)
  reauthor(item)
end


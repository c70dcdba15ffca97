-- What is compared.

-- What an audit compares, as of one moment: the shard's { fence fields and values, open job, of each
-- partition of views where a sample was counted }, then what was asked for.

local function moment(fence)
  local fields, shed = call('HGETALL', fence), {}
  for k = 1, #fields, 2 do
    if match(fields[k], '^views:') then
      shed[#shed + 1] = { fields[k], call('LRANGE', 'shed' .. tag .. fields[k], '0', '-1') }
    end
  end
  return { fields, call('EXISTS', 'job' .. here), shed }
end

-- snapshot(fence:{s}, wanted, user...): of each user (msgpack) { feed { item, effective time }, floor
-- or '', circle, the top of the feed as `page` gives it, draw }. Wanted as for a draw, and how long
-- the `page` is, with how many `page_proofs`.
local function snapshot(keys, args)
  open(keys[1], nil, 0)
  local wanted, found = cmsgpack.unpack(args[1]), {}
  local refusal = misread(nil, wanted.mark)
  if refusal then return redis.error_reply(refusal) end
  for n = 2, #args do
    local user, feed = args[n], {}
    local reader = policy and reader_of(user)
    local stored = reader and reader.feed or {}
    for k = 1, #stored, 2 do feed[#feed + 1] = { stored[k], tonumber(stored[k + 1]) } end
    found[n - 1] = {
      feed, floor_of(user) or '', call('SMEMBERS', 'circle' .. tag .. user),
      reader and entries_of(reader, wanted.page, wanted.page_proofs) or {}, drawn(reader, wanted),
    }
  end
  return cmsgpack.pack({ moment(keys[1]), found })
end

-- shelf(fence:{s}, wanted, item...): (msgpack) what trends, in all and in each of the `topics` wanted,
-- { topic or '', { item, score, ... } }, the first `trending` of each; the first `fresh` of what is
-- fresh, { item, moment, ... }; and of all these items, and those asked for, { item, topics, score,
-- likes, shares, views }.
local function shelf(keys, args)
  open(keys[1], nil, 0)
  local wanted, trends, items, known = cmsgpack.unpack(args[1]), {}, {}, {}
  local refusal = misread(nil, wanted.mark)
  if refusal then return redis.error_reply(refusal) end
  local function add(item)
    if known[item] then return end
    known[item] = true
    local fields = call('HMGET', 'item' .. tag .. item, 'topics', 'score', 'likes', 'shares', 'views')
    for k = 1, 5 do fields[k] = fields[k] or '' end
    items[#items + 1] = { item, unpack(fields) }
  end
  local function top(key, count)
    local found = call('ZRANGE', key, '0', count - 1, 'REV', 'WITHSCORES')
    for k = 1, #found, 2 do add(found[k]) end
    return found
  end
  trends[1] = { '', top('trending' .. here, wanted.trending) }
  for _, topic in ipairs(wanted.topics) do
    trends[#trends + 1] = { topic, top('trending' .. tag .. topic, wanted.trending) }
  end
  local fresh = top('fresh' .. here, wanted.fresh)
  for n = 2, #args do add(args[n]) end
  return cmsgpack.pack({ moment(keys[1]), trends, fresh, items })
end


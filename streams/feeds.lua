#!lua name=likewave_1
--[[
The shard functions: what a batch of rows does to one shard, atomically with the shard's fence.

`{s}` is the hash tag of the shard, `{0}` to `{n-1}`; every key of a call carries it.

    feed:{s}:<user>            zset  item -> effective time, ms; at most feed_size entries
    policy:{s}                 hash  the policy the shard was filled with
    floor:{s}                  hash  user -> score at or below which the feed may lack entries
    circle:{s}:<user>          set   accounts whose acts reach the user; one a friend or followee
    fans:{s}:<actor>           set   users of this shard who have the actor in their circle
    edges:{s}:<kind>:<user>    zset  other -> 2 * at + off; kinds friend, follow; one a pair for ever
    acts:{s}:<kind>:<actor>    zset  item -> 2 * at + off; kinds like, share; newest acts_kept
    acts:{s}:direct:<sender>|<user>  the same for shares by name; newest direct_kept
    actors:{s}:<kind>:<item>   zset  actor -> at, only while on; within the horizon
    direct:{s}:<item>          zset  user|sender -> 0, only while on; within the horizon
    item:{s}:<item>            hash  likes, shares, views, score; in the item's own shard, horizon
    trending:{s}               zset  item -> effective time under the trending half-life; horizon
    views:{s}:<half hour>      zset  item|user -> its strongest contribution; within the horizon
    due:{s}                    zset  acts and views keys -> a time no later than their oldest entry
    job:{s}                    list  slices of the one fan-out too large for a call, still to do
    fence:{s}                  hash  <topic>:<partition> -> next offset, log id, last event time;
                                     time -> stream time, the greatest `at` applied;
                                     work -> signals and retractions so far, for the curious

Redis does not roll back: a call checks everything before its first write. Scores of feeds are
whole milliseconds written as digits, which keeps 120 of them in the compact encoding.
]]

local HALF_HOUR = 1800000
local FEW = 2       -- acts on an item, for each fan, up to which they are looked up one by one
local SLICE = 256   -- users or items in one slice of a job
local SWEPT = 4     -- due keys looked at in one call, SLICE entries each

-- Libraries, set by `open`: a store may not have them yet while it loads this file.
local floor, log, format, match, LN2

-- Of the call in hand, set by `open`: commands, the shard's tag (`:{0}`, and `:{0}:` before an
-- id), policy, stream time - horizon, work done (a signal is 1).
local call, here, tag, policy, cut, work

local function open(fence, numbers, at)
  floor, log, format, match, LN2 = math.floor, math.log, string.format, string.match, math.log(2)
  call, work, policy = redis.call, 0, numbers
  if policy then
    policy.overflow = format('%d', -1 - policy.feed_size)
    policy.unseen = policy.half_life * log(2 * policy.half_life / LN2) / LN2
  end
  here = ':' .. match(fence, '{%d+}')
  tag = here .. ':'
  local time = math.max(at, tonumber(call('HGET', fence, 'time') or '0'))
  cut = time - (policy or { horizon = call('HGET', 'policy' .. here, 'horizon_ms') or 0 }).horizon
  return time
end

local function digits(number)
  return format('%.0f', number)
end

-- Scores are times: the score of two contributions together, and of one taken out of a sum.

local function merge(a, b, half_life)
  if a < b then a, b = b, a end
  return a + half_life * log(1 + 2 ^ ((b - a) / half_life)) / LN2
end

local function without(score, contribution, half_life)
  local rest = 1 - 2 ^ ((contribution - score) / half_life)
  return score + half_life * log(math.max(rest, 2 ^ -40)) / LN2
end

-- Proofs.

local KINDS = { 'like', 'share' }

-- What speaks for an item, of anyone: acts by kind, `sum` of them, `direct` shares.
local function acts_on(item)
  local likes = call('ZCARD', 'actors' .. tag .. 'like:' .. item)
  local shares = call('ZCARD', 'actors' .. tag .. 'share:' .. item)
  local directs = call('ZCARD', 'direct' .. tag .. item)
  return { like = likes, share = shares, direct = directs, sum = likes + shares + directs }
end

-- Visit the live proofs of (user, item); `acts` saves looking where there is nothing.
local function each_proof(user, item, acts, visit)
  local circle = 'circle' .. tag .. user
  for _, kind in ipairs(KINDS) do
    if acts[kind] > 0 then
      local found = call('ZINTER', '2', circle, 'actors' .. tag .. kind .. ':' .. item,
        'WEIGHTS', '0', '1', 'WITHSCORES')
      for k = 1, #found, 2 do
        local at = tonumber(found[k + 1])
        if at > cut then visit(kind, found[k], at) end
      end
    end
  end
  if acts.direct == 0 then return end
  local given = call('ZRANGE', 'direct' .. tag .. item, '[' .. user .. '|', '(' .. user .. '}', 'BYLEX')
  for _, member in ipairs(given) do
    local sender = string.sub(member, #user + 2)
    if call('SISMEMBER', circle, sender) == 1 then
      local at = call('ZSCORE', 'acts' .. tag .. 'direct:' .. sender .. '|' .. user, item) / 2
      if at > cut then visit('direct', sender, at) end
    end
  end
end

local function score_of(user, item, acts)
  local found, latest = {}, 0
  each_proof(user, item, acts, function(kind, _, at)
    local contribution = at + policy.bonus[kind]
    found[#found + 1] = contribution
    if contribution > latest then latest = contribution end
  end)
  if #found < 2 then return found[1] end
  local strength, half_life = 0, policy.half_life
  for _, contribution in ipairs(found) do
    strength = strength + 2 ^ ((contribution - latest) / half_life)
  end
  return floor(latest + half_life * log(strength) / LN2 + 0.5)
end

-- Feeds.

-- Put an entry in, or raise it, and the lowest out. A score that holds what left the horizon may be
-- higher already: it stays, since what a full feed pushed out counts on its entries not to sink.
local function put(feed, score, item)
  if call('ZADD', feed, 'GT', score, item) == 1 then
    call('ZREMRANGEBYRANK', feed, '0', policy.overflow)
  end
end

local function rebuild(user)
  local scores, feed = {}, 'feed' .. tag .. user
  local function gather(key, bonus)
    local found = call('ZRANGE', key, '(' .. digits(2 * cut + 1), '+inf', 'BYSCORE', 'WITHSCORES')
    for k = 1, #found, 2 do
      local register = tonumber(found[k + 1])
      if register % 2 == 0 then
        local item, contribution = found[k], register / 2 + bonus
        local score = scores[item]
        scores[item] = score and merge(score, contribution, policy.half_life) or contribution
      end
    end
    work = work + #found / 8
  end
  for _, actor in ipairs(call('SMEMBERS', 'circle' .. tag .. user)) do
    for _, kind in ipairs(KINDS) do
      gather('acts' .. tag .. kind .. ':' .. actor, policy.bonus[kind])
    end
    gather('acts' .. tag .. 'direct:' .. actor .. '|' .. user, policy.bonus.direct)
  end

  local ranked = {}
  for item, score in pairs(scores) do
    scores[item] = floor(score + 0.5)
    ranked[#ranked + 1] = scores[item]
  end
  table.sort(ranked, function(a, b) return a > b end)
  local lowest = ranked[policy.feed_size] or -math.huge
  call('DEL', feed)
  call('HDEL', 'floor' .. here, user)
  for item, score in pairs(scores) do
    if score >= lowest then put(feed, digits(score), item) end
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

-- Bring one entry of one feed to what its proofs say.
local function settle(user, item)
  work = work + 4
  local feed = 'feed' .. tag .. user
  local before, after = tonumber(call('ZSCORE', feed, item) or nil), score_of(user, item, acts_on(item))
  if after == before then return end
  if after and (not before or after > before) then
    put(feed, digits(after), item)
  else
    lower(user, feed, item, after)
  end
end

-- An act is no longer a proof; `acts` are what is left on the item.
local function retract(user, item, acts)
  work = work + 2
  local feed = 'feed' .. tag .. user
  local before = tonumber(call('ZSCORE', feed, item) or nil)
  if not before then return end
  local after = acts.sum > 0 and score_of(user, item, acts) or nil
  if after ~= before then lower(user, feed, item, after) end
end

-- An act becomes a proof, or moves forward in time, in the feeds of fans (`members`). Of the act:
-- actor, kind, item, score (digits), value (number), moved, and `acts`, all that is on the item.

-- Few others act on the item: look each up among the fans, which gives every score from all proofs.
local function signal_few(act, members)
  local others, value, half_life = {}, act.value, policy.half_life
  for _, kind in ipairs(KINDS) do
    local found = call('ZRANGE', 'actors' .. tag .. kind .. ':' .. act.item, '0', '-1', 'WITHSCORES')
    for k = 1, #found, 2 do
      local other, at = found[k], tonumber(found[k + 1])
      if at > cut and not (other == act.actor and kind == act.kind) then
        local strength = 2 ^ ((at + policy.bonus[kind] - value) / half_life)
        for n, hit in ipairs(call('SMISMEMBER', 'fans' .. tag .. other, unpack(members))) do
          if hit == 1 then others[n] = (others[n] or 0) + strength end
        end
        work = work + 1
      end
    end
  end
  for n, user in ipairs(members) do
    local strength, score = others[n], act.score
    if strength then score = digits(floor(value + half_life * log(1 + strength) / LN2 + 0.5)) end
    put('feed' .. tag .. user, score, act.item)
  end
end

local function signal_alone(act, members)
  local score, item = act.score, act.item
  for _, user in ipairs(members) do put('feed' .. tag .. user, score, item) end
end

-- Many others do: where the item is in the feed, its score holds them already. It is made anew, all
-- the same, where an act moves forward (the difference would do, but repeated ones would pile up
-- its rounding), and where the score is so old that a like of the same actor, made before the
-- horizon and forgotten, may be seen in it by half a millisecond.
local function signal(act, user)
  local feed = 'feed' .. tag .. user
  local score = not act.moved and tonumber(call('ZSCORE', feed, act.item) or nil)
  if score and score > cut + policy.bonus[act.kind] + policy.unseen then
    score = floor(merge(score, act.value, policy.half_life) + 0.5)
    call('ZADD', feed, digits(score), act.item)
  else
    put(feed, digits(score_of(user, act.item, act.acts)), act.item)
  end
end

local function signal_many(act, members)
  for _, user in ipairs(members) do signal(act, user) end
end

-- One fan-out: `run[what](slice)` over users or items; in slices of a job where it is too large.

local run = {
  signal = function(slice)
    local acts = slice.acts
    local way = acts.sum == 1 and signal_alone
      or acts.direct == 0 and acts.sum <= FEW * #slice.members and signal_few
      or signal_many
    way(slice, slice.members)
    work = work + #slice.members
  end,
  retract = function(slice)
    for _, user in ipairs(slice.members) do retract(user, slice.item, slice.acts) end
  end,
  settle = function(slice)
    for _, item in ipairs(slice.members) do settle(slice.user, item) end
  end,
}

local function spread(what, slice, members)
  slice.what = what
  if #members <= policy.step then
    slice.members = members
    run[what](slice)
    return
  end
  for first = 1, #members, SLICE do
    slice.members = { unpack(members, first, math.min(first + SLICE - 1, #members)) }
    call('RPUSH', 'job' .. here, cmsgpack.pack(slice))
  end
  work = policy.step   -- no other record before the job is done
end

-- Go on with the job, if there is one; true when none is left.
local function drain()
  local job = 'job' .. here
  while work < policy.step do
    local slice = call('LPOP', job)
    if not slice then return true end
    slice = cmsgpack.unpack(slice)
    run[slice.what](slice)
  end
  return call('EXISTS', job) == 0
end

-- Engagement, in the item's own shard: exact counters, and a score under the trending half-life.

local COUNTER = { like = 'likes', share = 'shares', view = 'views' }

local function engage(item, kind, change, gained, lost)
  local key, trending, counter = 'item' .. tag .. item, 'trending' .. here, COUNTER[kind]
  local now = call('HMGET', key, 'score', counter)
  local score, count = tonumber(now[1] or nil), (now[2] or 0) + change
  if count == 0 and call('HLEN', key) == 2 then
    call('DEL', key)
    call('ZREM', trending, item)
    return
  end
  if score and lost then score = without(score, lost, policy.trending_half_life) end
  if gained then score = score and merge(score, gained, policy.trending_half_life) or gained end
  score = format('%.17g', score)
  call('ZADD', trending, score, item)
  call('HSET', key, 'score', score, counter, digits(count))
  if count == 0 then call('HDEL', key, counter) end
end

local function disengage(item, kind, at)
  if call('HEXISTS', 'item' .. tag .. item, COUNTER[kind]) == 1 then
    engage(item, kind, -1, nil, at + policy.trending_bonus[kind])
  end
end

-- Registers: the last writer by `at` wins, off wins at equal times.

local function precedes(a, b)   -- in byte order, whatever the locale
  for k = 1, math.min(#a, #b) do
    local x, y = a:byte(k), b:byte(k)
    if x ~= y then return x < y end
  end
  return #a < #b
end

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

-- Write a register of acts; give whether it changed, the `at` it was on before (0 when there is no
-- telling, since it may have been on and forgotten), and what it displaced.
local function write(name, kept, item, register)
  local key = 'acts' .. tag .. name
  local before = tonumber(call('ZSCORE', key, item) or nil)
  if before and before >= register then return false end
  call('ZADD', key, digits(register), item)
  if before then return true, before % 2 == 0 and before / 2 or nil end
  local count = call('ZCARD', key)
  if count == 1 then call('ZADD', 'due' .. here, digits(floor(register / 2)), name) end
  if count <= kept then return true, 0 end
  local victim, was = least(key)
  call('ZREM', key, victim)
  return victim ~= item, 0, was % 2 == 0 and victim ~= item and { item = victim, at = was / 2 } or nil
end

local function withdraw(kind, actor, item, at)
  if call('ZREM', 'actors' .. tag .. kind .. ':' .. item, actor) == 1 then disengage(item, kind, at) end
  local fans = call('SMEMBERS', 'fans' .. tag .. actor)
  if #fans > 0 then spread('retract', { item = item, acts = acts_on(item) }, fans) end
end

local function act(row, kind)
  local actor, item, register = row.who, row.item, row.register
  if floor(register / 2) <= cut then return end
  local wrote, old, displaced = write(kind .. ':' .. actor, policy.acts_kept, item, register)
  if not wrote then return end
  if register % 2 == 0 then
    local at = register / 2
    call('ZADD', 'actors' .. tag .. kind .. ':' .. item, digits(at), actor)
    if row.own then
      local bonus = policy.trending_bonus[kind]
      local counted = old and old > 0
      engage(item, kind, counted and 0 or 1, at + bonus, counted and old + bonus)
    end
    local fans = call('SMEMBERS', 'fans' .. tag .. actor)
    if #fans > 0 then
      spread('signal', {
        actor = actor, kind = kind, item = item, acts = acts_on(item), moved = old and old > 0,
        score = row.score, value = tonumber(row.score),
      }, fans)
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
  if floor(row.register / 2) <= cut then return end
  local wrote, old, displaced =
    write('direct:' .. sender .. '|' .. user, policy.direct_kept, item, row.register)
  if not wrote then return end
  if row.register % 2 == 0 then
    call('ZADD', 'direct' .. tag .. item, '0', user .. '|' .. sender)
    if call('SISMEMBER', 'circle' .. tag .. user, sender) == 1 then
      work = work + 1
      signal({
        kind = 'direct', item = item, acts = acts_on(item), moved = old and old > 0, value = tonumber(row.score),
      }, user)
    end
  elseif old then
    take_back(sender, user, item)
  end
  if displaced then take_back(sender, user, displaced.item) end
end

local function view(row)
  if row.register / 2 <= cut then return end
  local half_hour = floor(row.register / 2 / HALF_HOUR)
  local key, member = 'views' .. tag .. digits(half_hour), row.item .. '|' .. row.who
  local before, contribution = tonumber(call('ZSCORE', key, member) or nil), tonumber(row.score)
  if before and before >= contribution then return end
  call('ZADD', key, row.score, member)
  call('ZADD', 'due' .. here, 'LT', digits((half_hour + 1) * HALF_HOUR), 'view:' .. digits(half_hour))
  engage(row.item, 'view', before and 0 or 1, contribution, before)
end

-- Circles.

local function on(kind, user, other)
  local register = call('ZSCORE', 'edges' .. tag .. kind .. ':' .. user, other)
  return register and tonumber(register) % 2 == 0
end

local function join(user, other)
  call('SADD', 'circle' .. tag .. user, other)
  call('SADD', 'fans' .. tag .. other, user)
  local items, seen = {}, {}
  for _, name in ipairs({ 'like:' .. other, 'share:' .. other, 'direct:' .. other .. '|' .. user }) do
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

-- Every entry is looked at, since an act that put it there may be forgotten by now.
local function part(user, other)
  call('SREM', 'circle' .. tag .. user, other)
  call('SREM', 'fans' .. tag .. other, user)
  local items = call('ZRANGE', 'feed' .. tag .. user, '0', '-1')
  if #items > 0 then spread('settle', { user = user }, items) end
end

local function edge(row, kind)
  local user, other = row.who, row.other
  local key = 'edges' .. tag .. kind .. ':' .. user
  local before = tonumber(call('ZSCORE', key, other) or nil)
  if before and before >= row.register then return end
  call('ZADD', key, digits(row.register), other)
  local was = call('SISMEMBER', 'circle' .. tag .. user, other) == 1
  local is = on('friend', user, other) or on('follow', user, other)
  if is and not was then join(user, other) end
  if was and not is then part(user, other) end
end

-- Forgetting: what is older than stream time - horizon, a bounded piece in every call.

local function forget(name, limit)
  local kind, owner = match(name, '^(%l+):(.*)$')
  local key = kind == 'view' and 'views' .. tag .. owner or 'acts' .. tag .. name
  if kind == 'view' then
    local old = call('ZPOPMIN', key, limit)
    for k = 1, #old, 2 do engage(match(old[k], '^[^|]*'), 'view', -1) end
    return #old / 2, call('EXISTS', key) == 1 and (owner + 1) * HALF_HOUR
  end
  local old = call('ZRANGE', key, '-inf', digits(2 * cut + 1), 'BYSCORE', 'LIMIT', '0', limit, 'WITHSCORES')
  for k = 1, #old, 2 do
    local item, register = old[k], tonumber(old[k + 1])
    call('ZREM', key, item)
    if register % 2 == 0 and kind == 'direct' then
      local sender, user = match(owner, '^(.*)|(.*)$')
      call('ZREM', 'direct' .. tag .. item, user .. '|' .. sender)
    elseif register % 2 == 0 then
      call('ZREM', 'actors' .. tag .. kind .. ':' .. item, owner)
      disengage(item, kind, register / 2)
    end
  end
  local oldest = call('ZRANGE', key, '0', '0', 'WITHSCORES')[2]
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
end

-- The fence: the offset up to which a partition's log is in the shard.

local function refuse(batch, fence)
  if not fence then
    if not batch.from_start then
      return 'GAP no fence for ' .. batch.source .. ', and the batch begins at ' .. digits(batch.begin)
    end
    return
  end
  local position, id = match(fence, '^(%d+) (%S+)')
  if id ~= batch.log then
    return 'LOG ' .. batch.source .. ' was filled from log ' .. id .. ', this is ' .. batch.log
  end
  if tonumber(position) < batch.begin and not batch.from_start then
    return 'GAP ' .. batch.source .. ' is in the shard up to ' .. position
      .. ', the batch begins at ' .. digits(batch.begin)
  end
end

-- A row: kind, who, item, other, register (2 * at + off), score (digits), own (the item's shard).
local ROWS = { like = act, share = act, direct = direct, view = view, friend = edge, follow = edge }

-- Apply the rows from offset `position` on, and stop between two records when enough is done;
-- give the offset and the number of rows reached.
local function apply_rows(batch, position)
  local applied, last, row = 0, nil, {}
  for n, kind in ipairs(batch.kind) do
    local offset = batch.offset[n]
    if offset >= position then
      if work >= policy.step and offset ~= last then return offset, applied end
      last = offset
      row.who, row.item, row.other = batch.who[n], batch.item[n], batch.other[n]
      row.register, row.score, row.own = batch.register[n], batch.score[n], batch.own[n]
      ROWS[kind](row, kind)
      applied = applied + 1
    end
  end
  return batch.next, applied
end

--[[
apply(fence:{s}, batch): carry the rows of one batch into the shard; returns
{ offset the fence is at now, open job (0 or 1), rows applied, work done }.
A batch (msgpack): source `<topic>:<partition>`, begin, next, from_start, log, at, policy, and the
columns kind, who, item, other, register, score, own, offset. A call does about policy.step of
work and then returns early: call again with the same batch, or its rest, until the offset is
`next` and no job is open. A row may be met twice: its register makes the second time nothing.
]]
local function apply(keys, args)
  local fence, batch = keys[1], cmsgpack.unpack(args[1])
  local time = open(fence, batch.policy, batch.at)
  local value = call('HGET', fence, batch.source)
  local refusal = refuse(batch, value)
  if refusal then return redis.error_reply(refusal) end

  local position, at = match(value or '0 - 0', '^(%d+) %S+ (%d+)')
  position, at = math.max(tonumber(position), batch.begin), math.max(tonumber(at), batch.at)
  if not drain() or position >= batch.next then
    return { position, call('EXISTS', 'job' .. here), 0, work }
  end
  local reached, applied = apply_rows(batch, position)
  if reached > position or not value then
    call('HSET', fence, batch.source,
      digits(reached) .. ' ' .. batch.log .. ' ' .. digits(at), 'time', digits(time))
  end
  sweep()
  if work > 0 then call('HINCRBY', fence, 'work', digits(work)) end
  return { reached, call('EXISTS', 'job' .. here), applied, work }
end

-- drain(fence:{s}, policy): go on with the job that a worker left open; 1 while one is open.
local function go_on(keys, args)
  open(keys[1], cmsgpack.unpack(args[1]), 0)
  return drain() and 0 or 1
end

-- page(fence:{s}, user, limit[, proofs]): the top of a feed, best first, each entry with its newest
-- proofs: { { item, effective time, number of proofs, { { kind, who, at }, ... } }, ... }. An entry whose proofs are
-- all gone (a job is taking it out) is left out.
local function page(keys, args)
  open(keys[1], nil, 0)
  local user, entries = args[1], {}
  local found = call('ZRANGE', 'feed' .. tag .. user, '0', args[2] - 1, 'REV', 'WITHSCORES')
  for k = 1, #found, 2 do
    local proofs = {}
    each_proof(user, found[k], acts_on(found[k]), function(kind, who, at) proofs[#proofs + 1] = { kind, who, at } end)
    table.sort(proofs, function(a, b) return a[3] > b[3] end)
    if #proofs > 0 then
      local newest = { unpack(proofs, 1, math.min(#proofs, tonumber(args[3] or '3'))) }
      entries[#entries + 1] = { found[k], found[k + 1], #proofs, newest }
    end
  end
  return entries
end

-- snapshot(fence:{s}, user...): what an audit compares, all of one moment:
-- { fence fields and values, open job, { { feed, best first, with scores }, floor or '' }, ... }.
local function snapshot(keys, users)
  open(keys[1], nil, 0)
  local feeds = {}
  for n, user in ipairs(users) do
    feeds[n] = { call('ZRANGE', 'feed' .. tag .. user, '0', '-1', 'REV', 'WITHSCORES'), floor_of(user) or '' }
  end
  return { call('HGETALL', keys[1]), call('EXISTS', 'job' .. here), feeds }
end

redis.register_function('likewave_1_apply', apply)
redis.register_function('likewave_1_drain', go_on)
redis.register_function { function_name = 'likewave_1_page', callback = page, flags = { 'no-writes' } }
redis.register_function { function_name = 'likewave_1_snapshot', callback = snapshot, flags = { 'no-writes' } }

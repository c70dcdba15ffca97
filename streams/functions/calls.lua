#!lua name=likewave_1
--[[
The shard functions: what a batch of rows does to one shard, atomically with the shard's fence.

`{s}` is the hash tag of the shard, `{0}` to `{n-1}`; every key of a call carries it.

    feed:{s}:<user>            zset  item -> effective time, ms; at most feed_size entries
    policy:{s}                 hash  the policy the shard was filled with; mark, a digest of it; hold,
                                     the server's ms until which no batch is taken (streams/generations.py)
    floor:{s}                  hash  user -> score at or below which the feed may lack entries
    warm:{s}                   zset  user whose feed is kept -> when last active, to the hour
    awake:{s}                  set   the same users, to be intersected with fans
    circle:{s}:<user>          set   accounts whose acts reach the user; one a friend or followee
    fans:{s}:<actor>           set   users of this shard who have the actor in their circle
    strangers:{s}:<account>    set   users of this shard who have an edge to it, but not in their circle
    edges:{s}:<kind>:<user>    zset  other -> 2 * at + off; friend, follow, block, blocked (by the
                                     other), mute, favor; one a pair for ever
    favoured:{s}:<actor>       set   users of this shard who favour the actor
    favourites:{s}             set   actors whom someone favours
    acts:{s}:<kind>:<actor>    zset  item -> 2 * at + off; kinds like, share, post; newest acts_kept
    acts:{s}:direct:<sender>|<user>  the same for shares by name; newest direct_kept
    sent:{s}:<sender>          set   users of this shard to whom the sender shared by name
    senders:{s}:<user>         set   the other way round
    actors:{s}:<kind>:<item>   zset  actor -> at, only while on; within the horizon
    pulled:{s}:<kind>:<actor>  zset  item -> at: acts of an actor with too many fans, which are in no
                                     feed, but merged into it when a fan reads; as long as on
    pulled:{s}                 set   their actors
    direct:{s}:<item>          zset  user|sender -> 0, only while on; within the horizon
    seen:{s}:<user>            zset  item -> 2 * at + completed, of the newest view; newest acts_kept
    hidden:{s}:<user>          zset  item -> 2 * at + off; newest acts_kept
    hiders:{s}:<item>          set   users of this shard who hide the item
    item:{s}:<item>            hash  author, topics, at; by:<author> -> topics of their post;
                                     in the item's own shard home (1), likes, shares, views,
                                     score; within the horizon
    trending:{s}               zset  item -> effective time under the trending half-life; horizon
    trending:{s}:<topic>       zset  the same of the items with that topic
    fresh:{s}                  zset  item -> when it was posted; the newest FRESH_KEPT
    views:{s}:<half hour>      zset  item|user -> its strongest contribution; within the horizon
    young:{s}                  zset  kind|actor|item -> at: likes and shares of young accounts
    down:{s}                   set   items taken down, for ever
    erased:{s}                 set   SHA-1 of the ids of erased accounts, for ever
    shed:{s}:<topic>:<partition>  list  stretches of whose views a sample was counted: `begin next
                                     halvings at`, the latest `at` in it; within the horizon
    due:{s}                    zset  acts, views and shed keys -> a time no later than their oldest entry
    job:{s}                    list  slices of the one fan-out too large for a call, still to do
    connected:{s}              zset  user with an open stream -> end of the lease, Unix ms of the
                                     servers that renew it (streams/notices.py), and take out old ones
    fence:{s}                  hash  <topic>:<partition> -> next offset, log id, last event time;
                                     time -> stream time, the greatest `at` applied;
                                     work -> signals and retractions so far, for the curious

The parts: calls (what every one begins and ends with), proofs, feeds, signals, engagement, acts, circles,
erasure, forgetting, batches, reading, drawing, audit, library; joined as streams/library.py has it.
Lua takes 200 local names in a file, and they have nearly as many together.

One channel, written to once at the end of a call: whose live feed the call may have changed, of
those in `connected`, and of which items the author, the topics or the being there. To Redis
Cluster a PUBLISH goes as to one server: whoever subscribes to any node gets it.

    notices:{s}                users, a bar, items: `ann bob|song`

Redis does not roll back: a call checks everything before its first write. Scores of feeds are
whole milliseconds written as digits, which keeps 120 of them in the compact encoding.
]]

local BUILD = 7  -- one more with every change that is released: a worker loads only a later build
local HALF_HOUR = 1800000
local FEW, FEW_IN_ALL = 4, 64  -- acts on an item, for each fan and in all, to look up singly
local SLICE = 256   -- users or items in one slice of a job
local SWEPT = 4     -- due keys looked at in one call, SLICE entries each
local COOLED = 32   -- users whose feed is given up in one call
local HOUR = 3600000
local MANY = 64     -- keys in one call
local WIDE = 256    -- accounts in a circle, beyond which acts on an item are counted rather than listed:
local NAMED, LATEST, COUNTED = 16, 512, 1000   -- so many are named, looked at, counted
local FRESH_KEPT = 500

-- Libraries, set by `open`: a store may not have them yet while it loads this file.
local floor, log, format, match, LN2, NEVER

-- Of the call in hand, set by `open`: commands, the shard's tag (`:{0}`, and `:{0}:` before an
-- id), policy, stream time - horizon, work done (a signal is 1), which rare keys exist, which items
-- are down and which accounts erased, as far as asked, what counts for which items, views that are to
-- be written (by viewer, and by half hour), and the users and items that a notice may have to name (-> true).
local call, here, tag, policy, cut, work, exists, down, erased, engaged, seen, views, touched, altered

-- The policy that the shard was filled with, in the numbers of a batch; nil for an empty shard.
local function recorded()
  local found, numbers = call('HGETALL', 'policy' .. here), {}
  if #found == 0 then return nil end
  for k = 1, #found, 2 do numbers[found[k]] = tonumber(found[k + 1]) end
  local function bonus(weight) return floor(numbers.half_life_ms * log(weight) / LN2 + 0.5) end
  local weights = { like = 'like_weight', share = 'share_weight', post = 'post_weight', direct = 'direct_weight' }
  numbers.bonus = {}
  for kind, weight in pairs(weights) do numbers.bonus[kind] = bonus(numbers[weight]) end
  numbers.half_life, numbers.horizon = numbers.half_life_ms, numbers.horizon_ms
  numbers.favor_bonus = bonus(numbers.favor)
  for k = 1, #found, 2 do
    if found[k] == 'mark' then numbers.mark = found[k + 1] end
  end
  return numbers
end

local OTHER_NUMBERS = 'POLICY the shard holds feeds of other numbers: '

-- Why nothing may be read by who knows of `shards` shards, or of the numbers called `mark`; nil
-- where it may be. Who says neither is not asked.
local function misread(shards, mark)
  if not policy then   -- an empty store, or no shard of it; a cluster does not say which
    local is_filled = (shards or mark) and redis.pcall('EXISTS', 'policy:{0}') == 1
    return is_filled and OTHER_NUMBERS .. 'this shard is none' or nil
  end
  if shards and tonumber(shards) ~= policy.shards then
    return OTHER_NUMBERS .. string.format('%d', policy.shards) .. ' shards, not ' .. shards
  end
  if mark and mark ~= policy.mark then return OTHER_NUMBERS .. (policy.mark or 'unmarked') end
end

local function open(fence, numbers, at)
  floor, log, format, match = math.floor, math.log, string.format, string.match
  LN2, NEVER = math.log(2), -math.huge
  call, work, exists, down, erased, engaged = redis.call, 0, {}, {}, {}, {}
  seen, views, touched, altered = {}, {}, {}, {}
  here = ':' .. match(fence, '{%d+}')
  tag = here .. ':'
  policy = numbers or recorded()
  if policy then
    policy.overflow = format('%d', -1 - policy.feed_size)
    policy.unseen = policy.half_life * log(2 * policy.half_life / LN2) / LN2
  end
  local time = math.max(at, tonumber(call('HGET', fence, 'time') or '0'))
  cut = time - (policy and policy.horizon or 0)
  return time
end

-- Whether the shard has any of what few shards have: asked once a call, which spares the asking of
-- each act, user and item.
local function any(name)
  if exists[name] == nil then exists[name] = call('EXISTS', name .. here) == 1 end
  return exists[name]
end

local function is_down(item)
  if not any('down') then return false end
  if down[item] == nil then down[item] = call('SISMEMBER', 'down' .. here, item) == 1 end
  return down[item]
end

local function is_erased(user)
  if user == '' or not any('erased') then return false end
  if erased[user] == nil then
    erased[user] = call('SISMEMBER', 'erased' .. here, redis.sha1hex(user)) == 1
  end
  return erased[user]
end

-- Notices: whatever may change what a user sees of their live feed touches that user.

local function touch(user)
  if any('connected') then touched[user] = true end
end

local function touch_all(users)
  if not any('connected') then return end
  for n = 1, #users do touched[users[n]] = true end
end

-- An act that is in no feed shows in the feeds of all who are there to read it.
local function touch_fans(actor)
  if not any('connected') then return end
  touch_all(call('ZINTER', '2', 'fans' .. tag .. actor, 'connected' .. here))
end

-- Something is known, or no longer known, of an item.
local function alter(item)
  if any('connected') then altered[item] = true end
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

local function names_of(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  return names
end

-- Tell whoever listens, once a call.
local function tell()
  local users, items, connected = names_of(touched), names_of(altered), {}
  for first = 1, #users, SLICE do
    local some = { unpack(users, first, math.min(first + SLICE - 1, #users)) }
    for n, lease in ipairs(call('ZMSCORE', 'connected' .. here, unpack(some))) do
      if lease then connected[#connected + 1] = some[n] end
    end
  end
  if #connected + #items == 0 then return end
  call('PUBLISH', 'notices' .. here, table.concat(connected, ' ') .. '|' .. table.concat(items, ' '))
end

local function digits(number)
  return format('%d', number)
end

-- Collect what is to be added to one of several sorted sets.
local function note(lists, name, score, member)
  local list = lists[name] or {}
  lists[name] = list
  list[#list + 1], list[#list + 2] = score, member
end

-- Add to a sorted set what `columns` name, score and member in turn; give how many are new. `how` is
-- GT where no score sinks, else CH (of what changed, all are counted).
local function add_all(key, columns, how)
  local added = 0
  for first = 1, #columns, 2 * SLICE do
    added = added + call('ZADD', key, how, unpack(columns, first, math.min(first + 2 * SLICE - 1, #columns)))
  end
  return added
end


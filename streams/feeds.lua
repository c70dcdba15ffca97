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

One channel, written to once at the end of a call: whose live feed the call may have changed, of
those in `connected`, and of which items the author, the topics or the being there. To Redis
Cluster a PUBLISH goes as to one server: whoever subscribes to any node gets it.

    notices:{s}                users, a bar, items: `ann bob|song`

Redis does not roll back: a call checks everything before its first write. Scores of feeds are
whole milliseconds written as digits, which keeps 120 of them in the compact encoding.
]]

local BUILD = 2  -- one more with every change that is released: a worker loads only a later build
local HALF_HOUR = 1800000
local FEW, FEW_IN_ALL = 4, 64  -- acts on an item, for each fan and in all, to look up singly
local SLICE = 256   -- users or items in one slice of a job
local SWEPT = 4     -- due keys looked at in one call, SLICE entries each
local COOLED = 32   -- users whose feed is given up in one call
local HOUR = 3600000
local MANY = 64     -- keys in one call, and accounts in a circle that is not wide
local NAMED, LATEST, COUNTED = 16, 512, 1000   -- acts on an item, in a wide circle: named, looked at, counted
local FRESH_KEPT = 500

-- Libraries, set by `open`: a store may not have them yet while it loads this file.
local floor, log, format, match, LN2, NEVER

-- Of the call in hand, set by `open`: commands, the shard's tag (`:{0}`, and `:{0}:` before an
-- id), policy, stream time - horizon, work done (a signal is 1), which rare keys exist, which items
-- are down and which accounts erased, as far as asked, what counts for which items, and the
-- users and items that a notice may have to name (-> true).
local call, here, tag, policy, cut, work, exists, down, erased, engaged, touched, altered

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
  call, work, exists, down, erased, engaged, touched, altered = redis.call, 0, {}, {}, {}, {}, {}, {}
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

-- Scores are times: the score of two contributions together, and of one taken out of a sum.

local function merge(a, b, half_life)
  if a < b then a, b = b, a end
  return a + half_life * log(1 + 2 ^ ((b - a) / half_life)) / LN2
end

local function without(score, contribution, half_life)
  local rest = 1 - 2 ^ ((contribution - score) / half_life)
  return score + half_life * log(math.max(rest, 2 ^ -40)) / LN2
end

local function precedes(a, b)   -- in byte order, whatever the locale
  for k = 1, math.min(#a, #b) do
    local x, y = a:byte(k), b:byte(k)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Proofs.

local KINDS = { 'like', 'share', 'post' }

-- What speaks for an item, of anyone: acts by kind, `sum` of them; and whether anyone hides it.
local function acts_on(item)
  local like = call('ZCARD', 'actors' .. tag .. 'like:' .. item)
  local share, post = 'actors' .. tag .. 'share:' .. item, 'actors' .. tag .. 'post:' .. item
  local direct, hiders = 'direct' .. tag .. item, 'hiders' .. tag .. item
  if call('EXISTS', share, post, direct, hiders) == 0 then
    return { like = like, share = 0, post = 0, direct = 0, sum = like, hidden = false }
  end
  local acts = { like = like, share = call('ZCARD', share), post = call('ZCARD', post) }
  acts.direct = call('ZCARD', direct)
  acts.sum = like + acts.share + acts.post + acts.direct
  acts.hidden = call('EXISTS', hiders) == 1
  return acts
end

-- Whether an act that is on is in no feed, but merged when a fan reads.
local function is_pulled(kind, actor, item)
  return any('pulled') and call('ZSCORE', 'pulled' .. tag .. kind .. ':' .. actor, item)
end

-- Add to `proofs` the acts of one kind on the item by the user's circle, { kind, who, at }: of what
-- was pushed, or of `all` acts.
local function add_acts(proofs, circle, item, kind, all)
  local found = call('ZINTER', '2', circle, 'actors' .. tag .. kind .. ':' .. item,
    'AGGREGATE', 'MAX', 'WITHSCORES')   -- a member of the set counts 1
  for k = 1, #found, 2 do
    local at = tonumber(found[k + 1])
    if at > cut and (all or not is_pulled(kind, found[k], item)) then
      proofs[#proofs + 1] = { kind, found[k], at }
    end
  end
end

-- Add the shares with the user by name.
local function add_shares(proofs, circle, item, user)
  local given = call('ZRANGE', 'direct' .. tag .. item, '[' .. user .. '|', '(' .. user .. '}', 'BYLEX')
  for _, member in ipairs(given) do
    local sender = string.sub(member, #user + 2)
    if call('SISMEMBER', circle, sender) == 1 then
      local at = call('ZSCORE', 'acts' .. tag .. 'direct:' .. sender .. '|' .. user, item) / 2
      if at > cut then proofs[#proofs + 1] = { 'direct', sender, at } end
    end
  end
end

-- The live proofs of (user, item), in no order; `acts` saves looking where there is nothing.
local function proofs_of(user, item, acts, all)
  local circle, proofs = 'circle' .. tag .. user, {}
  for _, kind in ipairs(KINDS) do
    if acts[kind] > 0 then add_acts(proofs, circle, item, kind, all) end
  end
  if acts.direct > 0 then add_shares(proofs, circle, item, user) end
  return proofs
end

-- What an act of `other` is worth to the user beyond its kind, in ms.
local function tie(user, other)
  if not any('favourites') then return 0 end
  return call('SISMEMBER', 'favoured' .. tag .. other, user) * policy.favor_bonus
end

-- Which of `users` favour the actor: nil for nobody, else 1 or 0 for each.
local function ties(actor, users)
  if not any('favourites') or call('SISMEMBER', 'favourites' .. here, actor) == 0 then return nil end
  return call('SMISMEMBER', 'favoured' .. tag .. actor, unpack(users))
end

-- What proofs make together; nil for none.
local function score_by(user, proofs)
  local found, latest = {}, 0
  for _, proof in ipairs(proofs) do
    local contribution = proof[3] + policy.bonus[proof[1]] + tie(user, proof[2])
    found[#found + 1] = contribution
    if contribution > latest then latest = contribution end
  end
  if #found < 2 then return found[1] end
  local strength, half_life = 0, policy.half_life
  for _, contribution in ipairs(found) do
    strength = strength + 2 ^ ((contribution - latest) / half_life)
  end
  return floor(latest + half_life * log(strength) / LN2 + 0.5)
end

local function score_of(user, item, acts, all)
  return score_by(user, proofs_of(user, item, acts, all))
end

-- Whether the item may not be in the user's feed, whoever acts on it.
local function is_barred(user, item)
  return is_down(item) or call('SISMEMBER', 'hiders' .. tag .. item, user) == 1
end

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
    table.sort(best, better)
    for n = #best, size + 1, -1 do best[n] = nil end
    found = {}
    if #best == size then least = 2 ^ ((best[size][2] - 2 - now) / half_life) end   -- 2 ms: scores are rounded
  end
  for item, strength in pairs(strengths_of(user, all)) do
    if strength >= least then
      found[#found + 1] = { item, floor(now + half_life * log(strength) / LN2 + 0.5) }
      if #found == 2 * size then trim() end
    end
  end
  trim()
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

-- Bring one entry of one feed to what its proofs say.
local function settle(user, item)
  work = work + 4
  touch(user)
  if not is_awake(user) then return end
  local feed = 'feed' .. tag .. user
  local before = tonumber(call('ZSCORE', feed, item) or nil)
  local after = not is_barred(user, item) and score_of(user, item, acts_on(item)) or nil
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
  if before or acts.sum > 0 then touch(user) end
  if not before then return end
  local after = acts.sum > 0 and score_of(user, item, acts) or nil
  if after ~= before then lower(user, feed, item, after) end
end

-- An act becomes a proof, or moves forward in time, in the feeds of fans (`members`), of whom those
-- with `ties[n] == 1` favour its actor. Of the act: actor, kind, item, value (its contribution),
-- score (that in digits), moved, and `acts`, all that is on the item.

-- Nobody else acts on the item.
local function signal_alone(act, members, tied)
  local item, plain, favoured = act.item, act.score, digits(act.value + policy.favor_bonus)
  for n, user in ipairs(members) do
    put('feed' .. tag .. user, tied and tied[n] == 1 and favoured or plain, item)
  end
end

-- Few others do: look each up among the fans, which gives every score from all proofs.
local function signal_few(act, members, tied)
  local strengths, item, value, half_life = {}, act.item, act.value, policy.half_life
  local fans = 'fans' .. tag .. act.actor
  local function add(user, other, contribution)
    strengths[user] = (strengths[user] or 0)
      + 2 ^ ((contribution + tie(user, other) - value) / half_life)
  end
  for _, kind in ipairs(KINDS) do
    local found = act.acts[kind] > 0
      and call('ZRANGE', 'actors' .. tag .. kind .. ':' .. item, '0', '-1', 'WITHSCORES') or {}
    for k = 1, #found, 2 do
      local other, at = found[k], tonumber(found[k + 1])
      if at > cut and not (other == act.actor and kind == act.kind) and not is_pulled(kind, other, item) then
        for _, user in ipairs(call('SINTER', fans, 'fans' .. tag .. other, 'awake' .. here)) do
          add(user, other, at + policy.bonus[kind])
        end
        work = work + 0.2
      end
    end
  end
  for n, user in ipairs(members) do
    local others, own, score = strengths[user], tied and tied[n] == 1 and policy.favor or 1, act.score
    if others or own > 1 then
      score = digits(floor(value + half_life * log(own + (others or 0)) / LN2 + 0.5))
    end
    put('feed' .. tag .. user, score, item)
  end
end

-- Many others do: where the item is in the feed, its score holds them already. It is made anew, all
-- the same, where an act moves forward beside others (`moved` is what it was worth; the difference
-- would do, but repeated ones would pile up its rounding), and where the score is so old that a like of the same actor, made before the
-- horizon and forgotten, may be seen in it by half a millisecond.
local function signal_many(act, members, tied)
  for n, user in ipairs(members) do
    local feed = 'feed' .. tag .. user
    local more = (tied and tied[n] or 0) * policy.favor_bonus
    local score = tonumber(call('ZSCORE', feed, act.item) or nil)
    if score and score == act.moved and more == 0 then   -- the act alone
      put(feed, act.score, act.item)
    elseif score and not act.moved and score > cut + policy.bonus[act.kind] + policy.unseen then
      score = floor(merge(score, act.value + more, policy.half_life) + 0.5)
      call('ZADD', feed, digits(score), act.item)
    else
      put(feed, digits(score_of(user, act.item, act.acts)), act.item)
    end
  end
end

-- Those of `members` who do not hide the item.
local function unhidden(item, members)
  local kept = {}
  for n, hides in ipairs(call('SMISMEMBER', 'hiders' .. tag .. item, unpack(members))) do
    if hides == 0 then kept[#kept + 1] = members[n] end
  end
  return kept
end

local function signal(act, members)
  local acts = act.acts
  work = work + #members
  if acts.hidden then members = unhidden(act.item, members) end
  if #members == 0 then return end
  touch_all(members)
  local way = acts.sum == 1 and signal_alone
    or acts.direct == 0 and acts.sum <= math.min(FEW * #members, FEW_IN_ALL) and signal_few
    or signal_many
  way(act, members, ties(act.actor, members))
end

-- One fan-out: `run[what](slice)` over users or items; in slices of a job where it is too large.

local run = {
  signal = function(slice) signal(slice, slice.members) end,
  retract = function(slice)
    for _, user in ipairs(slice.members) do retract(user, slice.item, slice.acts) end
  end,
  settle = function(slice)
    for _, item in ipairs(slice.members) do settle(slice.user, item) end
  end,
  fans = function(slice)
    local found = call('SSCAN', 'fans' .. tag .. slice.actor, slice.cursor, 'COUNT', SLICE)
    for _, user in ipairs(found[2]) do settle(user, slice.item) end
    if found[1] == '0' then return end
    slice.cursor = found[1]
    call('RPUSH', 'job' .. here, cmsgpack.pack(slice))
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

-- An act of an actor, or its end, reaches their warm fans. Where fans have become too many since it
-- was pushed, their entries are settled, some at a time.
local function reach(what, slice)
  if not any('awake') then return end
  local fans = 'fans' .. tag .. slice.actor
  if call('SCARD', fans) > policy.fan_out then
    slice.what, slice.cursor = 'fans', '0'
    call('RPUSH', 'job' .. here, cmsgpack.pack(slice))
    work = policy.step
    return
  end
  local members = call('SINTER', fans, 'awake' .. here)
  if #members == 0 then return end
  slice.acts = acts_on(slice.item)
  spread(what, slice, members)
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

-- Write down what counts for the item: once a call, but before the item is read or written elsewhere.
local function write_counts(item)
  local now = engaged[item]
  engaged[item] = nil
  if not now or not now.changed then return end
  if counts_nothing(now) then return unlist(item, now.topics) end
  local score = format('%.17g', now.score)
  local columns = { 'score', score }
  for kind, counter in pairs(COUNTER) do
    if now[kind] then columns[#columns + 1], columns[#columns + 2] = counter, digits(now[kind]) end
  end
  call('HSET', 'item' .. tag .. item, unpack(columns))
  for _, trending in ipairs(trending_of(now.topics)) do call('ZADD', trending, score, item) end
end

-- `by` is whose act it is: an author's own counts nothing.
local function engage(item, kind, by, change, gained, lost)
  local now = engagement_of(item)
  if by and now.author == by then return end
  now.changed, now[kind] = true, (now[kind] or 0) + change
  if counts_nothing(now) then return write_counts(item) end
  if now.score and lost then now.score = without(now.score, lost, policy.trending_half_life) end
  if gained then now.score = now.score and merge(now.score, gained, policy.trending_half_life) or gained end
end

-- What a like or share made at `at` adds to its item's trending score.
local function attention(kind, actor, item, at)
  local contribution = at + policy.trending_bonus[kind]
  if not any('young') or not call('ZSCORE', 'young' .. here, kind .. '|' .. actor .. '|' .. item) then
    return contribution
  end
  return contribution + policy.young_bonus
end

-- A like or share was taken back, or forgotten. Where the item is not at home nothing was counted.
local function disengage(item, kind, actor, at)
  if not COUNTER[kind] then return end
  if engagement_of(item)[kind] then
    engage(item, kind, actor, -1, nil, attention(kind, actor, item, at))
  end
  if any('young') then call('ZREM', 'young' .. here, kind .. '|' .. actor .. '|' .. item) end
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
    local contribution = at and attention(kind, author, item, at)
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
  write_counts(item)
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
  write_counts(item)
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
  local lost = old and old > 0 and attention(kind, actor, item, old)
  local name = kind .. '|' .. actor .. '|' .. item
  if row.young then
    call('ZADD', 'young' .. here, digits(at), name)
    exists.young = true
  elseif lost and any('young') then
    call('ZREM', 'young' .. here, name)
  end
  local gained = at + policy.trending_bonus[kind] + (row.young and policy.young_bonus or 0)
  engage(item, kind, actor, lost and 0 or 1, gained, lost)
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

-- A view counts for the item at the item's home, and is remembered at the viewer's.

local function see(user, item, register)
  local key = 'seen' .. tag .. user
  local wrote, _, only = write(key, policy.acts_kept, item, register)
  if wrote and only then
    call('ZADD', 'due' .. here, digits(floor(register / 2)), 'seen:' .. user)
  end
end

local function view(row, kind)   -- `seen` is a view that counts for nothing
  local user, item, at = row.who, row.item, floor(row.register / 2)
  if at <= cut then return end
  if row.mine then see(user, item, row.register) end
  if kind == 'seen' or not row.own or is_down(item) then return end
  local half_hour = floor(at / HALF_HOUR)
  local key, member = 'views' .. tag .. digits(half_hour), item .. '|' .. user
  local before, contribution = nil, tonumber(row.score)
  if call('ZADD', key, 'NX', row.score, member) == 0 then
    before = tonumber(call('ZSCORE', key, member))
    if before >= contribution then return end
    call('ZADD', key, row.score, member)
  elseif not exists[key] then
    call('ZADD', 'due' .. here, 'LT', digits((half_hour + 1) * HALF_HOUR), 'view:' .. digits(half_hour))
    exists[key] = true
  end
  engage(item, 'view', user, before and 0 or 1, contribution, before)
end

-- Circles.

local function on(kind, user, other)
  local register = call('ZSCORE', 'edges' .. tag .. kind .. ':' .. user, other)
  return register and tonumber(register) % 2 == 0
end

local function reaches(user, other)
  return (on('friend', user, other) or on('follow', user, other))
    and not (on('block', user, other) or on('blocked', user, other) or on('mute', user, other))
end

-- Settle all that `other` has on in the user's feed.
local function bring(user, other)
  if not is_awake(user) then return end
  local items, seen = {}, {}
  local names = { 'direct:' .. other .. '|' .. user }
  for _, kind in ipairs(KINDS) do names[#names + 1] = kind .. ':' .. other end
  for _, name in ipairs(names) do
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

-- Settle every entry, since an act that put it there may be forgotten by now.
local function review(user)
  local items = call('ZRANGE', 'feed' .. tag .. user, '0', '-1')
  if #items > 0 then spread('settle', { user = user }, items) end
end

local function part(user, other)
  call('SREM', 'circle' .. tag .. user, other)
  call('SREM', 'fans' .. tag .. other, user)
  call('SADD', 'strangers' .. tag .. other, user)
end

-- An edge other than favor: it may open or close the way from `other` to the user.
local function redraw(user, other)
  local was = call('SISMEMBER', 'circle' .. tag .. user, other) == 1
  local is = reaches(user, other)
  if is and not was then
    call('SADD', 'circle' .. tag .. user, other)
    call('SADD', 'fans' .. tag .. other, user)
    call('SREM', 'strangers' .. tag .. other, user)
    bring(user, other)
  elseif was and not is then
    part(user, other)
    review(user)
  elseif not is then
    call('SADD', 'strangers' .. tag .. other, user)
  end
end

local function unfavour(user, other)
  local key = 'favoured' .. tag .. other
  if call('SREM', key, user) == 0 then return false end
  if call('EXISTS', key) == 0 then call('SREM', 'favourites' .. here, other) end
  return true
end

local function favour(user, other, is)
  local key = 'favoured' .. tag .. other
  if call('SISMEMBER', 'fans' .. tag .. other, user) == 0 then
    call('SADD', 'strangers' .. tag .. other, user)
  end
  if is then
    call('SADD', key, user)
    call('SADD', 'favourites' .. here, other)
    exists.favourites = true
    bring(user, other)
  elseif unfavour(user, other) then
    review(user)
  end
end

local function edge(row, kind)
  local user, other = row.who, row.other
  local key = 'edges' .. tag .. kind .. ':' .. user
  local before = tonumber(call('ZSCORE', key, other) or nil)
  if before and before >= row.register then return end
  call('ZADD', key, digits(row.register), other)
  touch(user)
  if kind == 'favor' then
    favour(user, other, row.register % 2 == 0)
  else
    redraw(user, other)
  end
end

local function hide(row)
  local user, item = row.who, row.item
  local wrote, _, _, displaced =
    write('hidden' .. tag .. user, policy.acts_kept, item, row.register)
  if not wrote then return end
  if displaced then
    call('SREM', 'hiders' .. tag .. displaced.item, user)
    settle(user, displaced.item)
  end
  call(row.register % 2 == 0 and 'SADD' or 'SREM', 'hiders' .. tag .. item, user)
  settle(user, item)
end

-- For good: an item is taken down, an account erased.

-- Every feed is looked at, since an act that put the item there may be forgotten by now.
local function take_down(row)
  local item = row.item
  if call('SADD', 'down' .. here, item) == 0 then return end
  exists.down, down[item] = true, true
  alter(item)
  unlist(item, call('HGET', 'item' .. tag .. item, 'topics'))
  call('ZREM', 'fresh' .. here, item)
  call('DEL', 'item' .. tag .. item, 'direct' .. tag .. item)
  for _, kind in ipairs(KINDS) do call('DEL', 'actors' .. tag .. kind .. ':' .. item) end
  call('RPUSH', 'job' .. here, cmsgpack.pack({ what = 'down', item = item, cursor = '0' }))
  work = policy.step
end

run.down = function(slice)
  local found = call('ZSCAN', 'warm' .. here, slice.cursor, 'COUNT', SLICE)
  for k = 1, #found[2], 2 do retract(found[2][k], slice.item, { sum = 0 }) end
  if found[1] == '0' then return end
  slice.cursor = found[1]
  call('RPUSH', 'job' .. here, cmsgpack.pack(slice))
end

local function erase(row)
  local user = row.who
  if call('SADD', 'erased' .. here, redis.sha1hex(user)) == 0 then return end
  exists.erased, erased[user] = true, true
  call('RPUSH', 'job' .. here, cmsgpack.pack({ what = 'erase', user = user }))
  work = policy.step
end

-- The steps of an erasure, one after the other: each does a piece, and gives false when nothing of
-- its kind is left. `user` is the account.

local EDGES = { 'friend', 'follow', 'block', 'blocked', 'mute', 'favor' }

local function erase_acts(slice)
  for _, kind in ipairs(KINDS) do
    local found = call('ZPOPMIN', 'acts' .. tag .. kind .. ':' .. slice.user)
    if found[1] then
      if found[2] % 2 == 0 then withdraw(kind, slice.user, found[1], found[2] / 2) end
      return true
    end
    call('ZREM', 'due' .. here, kind .. ':' .. slice.user)
  end
  return false
end

local function erase_views(slice)
  local half_hour = slice.half_hour or first_half_hour()
  if half_hour > (cut + policy.horizon) / HALF_HOUR then return false end
  local key = 'views' .. tag .. digits(half_hour)
  local found = call('ZSCAN', key, slice.cursor or '0', 'MATCH', '*|' .. slice.user, 'COUNT', SLICE)
  for k = 1, #found[2], 2 do
    local item = match(found[2][k], '^[^|]*')
    if call('ZREM', key, found[2][k]) == 1 and not is_down(item) then
      engage(item, 'view', slice.user, -1, nil, tonumber(found[2][k + 1]))
    end
  end
  slice.cursor = found[1]
  slice.half_hour = found[1] == '0' and half_hour + 1 or half_hour
  return true
end

-- What two accounts shared by name, one way.
local function erase_between(sender, recipient)
  local name = 'direct:' .. sender .. '|' .. recipient
  for _, item in ipairs(call('ZRANGE', 'acts' .. tag .. name, '0', '-1')) do
    take_back(sender, recipient, item)
  end
  call('DEL', 'acts' .. tag .. name)
  call('ZREM', 'due' .. here, name)
  call('SREM', 'sent' .. tag .. sender, recipient)
  call('SREM', 'senders' .. tag .. recipient, sender)
end

local function erase_shares(slice)
  local recipient = call('SRANDMEMBER', 'sent' .. tag .. slice.user)
  local sender = call('SRANDMEMBER', 'senders' .. tag .. slice.user)
  if recipient then erase_between(slice.user, recipient) end
  if sender then erase_between(sender, slice.user) end
  return recipient or sender
end

-- The edges that others have to the account.
local function erase_fame(slice)
  local user = slice.user
  local other = call('SPOP', 'fans' .. tag .. user)
  if other then
    call('SREM', 'circle' .. tag .. other, user)
    review(other)
  else
    other = call('SPOP', 'strangers' .. tag .. user)
  end
  if not other then return false end
  touch(other)
  for _, kind in ipairs(EDGES) do call('ZREM', 'edges' .. tag .. kind .. ':' .. other, user) end
  return true
end

-- The edges that the account has to others.
local function erase_edges(slice)
  local user = slice.user
  for _, kind in ipairs(EDGES) do
    local found = call('ZPOPMIN', 'edges' .. tag .. kind .. ':' .. user, SLICE)
    for k = 1, #found, 2 do
      local other = found[k]
      call('SREM', 'fans' .. tag .. other, user)
      call('SREM', 'strangers' .. tag .. other, user)
      if kind == 'favor' then unfavour(user, other) end
    end
    if found[1] then return true end
  end
  return false
end

local function erase_hides(slice)
  local found = call('ZPOPMIN', 'hidden' .. tag .. slice.user, SLICE)
  for k = 1, #found, 2 do call('SREM', 'hiders' .. tag .. found[k], slice.user) end
  return found[1]
end

local function erase_rest(slice)
  local user = slice.user
  for _, key in ipairs({ 'feed', 'circle', 'favoured', 'seen' }) do call('DEL', key .. tag .. user) end
  call('ZREM', 'due' .. here, 'seen:' .. user)
  call('SREM', 'favourites' .. here, user)
  call('HDEL', 'floor' .. here, user)
  call('ZREM', 'warm' .. here, user)
  call('SREM', 'awake' .. here, user)
  touch(user)
  return false
end

local ERASURE = {
  erase_acts, erase_views, erase_shares, erase_fame, erase_edges, erase_hides, erase_rest,
}

run.erase = function(slice)
  for _, step in ipairs(ERASURE) do
    if step(slice) then
      work = work + 8
      call('RPUSH', 'job' .. here, cmsgpack.pack(slice))
      return
    end
  end
end

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

-- Why no batch made under the numbers called `mark` may be taken; nil where it may be.
local function miswritten(mark)
  local found = call('HMGET', 'policy' .. here, 'mark', 'hold')
  if found[1] ~= mark then return OTHER_NUMBERS .. (found[1] or 'none') end
  if not found[2] then return nil end
  local now = call('TIME')
  if now[1] * 1000 + now[2] / 1000 < tonumber(found[2]) then return 'HOLD the shard changes hands' end
end

-- A row: kind, who, item, other (of a post: its topics), register (2 * at + off), score (digits),
-- young (the account), own (this is the home of the item, or of a share's recipient), mine (of who).
local ROWS = {
  like = act, share = act, post = act, direct = direct, view = view, seen = view, hide = hide,
  friend = edge, follow = edge, block = edge, blocked = edge, mute = edge, favor = edge,
  takedown = take_down, erase = erase,
}

local IDLE = { blocked = true, takedown = true, erase = true }   -- nobody's own doing

-- Learn of all names at once which are in a set, rather than of one after the other.
local function learn(known, set, names, digest)
  if not any(set) then return end
  local asked, members = names_of(set_of(names)), {}
  for n, name in ipairs(asked) do members[n] = digest and digest(name) or name end
  for first = 1, #asked, SLICE do
    local last = math.min(first + SLICE - 1, #asked)
    for n, found in ipairs(call('SMISMEMBER', set .. here, unpack(members, first, last))) do
      known[asked[first + n - 1]] = found == 1
    end
  end
end

-- Apply the rows from offset `position` on, and stop between two records when enough is done;
-- give the offset and the number of rows reached.
local function apply_rows(batch, position)
  local applied, last, row = 0, nil, {}
  learn(down, 'down', batch.item)
  learn(erased, 'erased', batch.who, redis.sha1hex)
  for n, kind in ipairs(batch.kind) do
    local offset = batch.offset[n]
    if offset >= position then
      if work >= policy.step and offset ~= last then return offset, applied end
      last = offset
      row.who, row.item, row.other = batch.who[n], batch.item[n], batch.other[n]
      row.register, row.score, row.young = batch.register[n], batch.score[n], batch.young[n]
      row.own, row.mine = batch.home[n] % 2 == 1, batch.home[n] >= 2
      local other = kind ~= 'post' and row.other or ''
      if not is_erased(row.who) and not is_erased(other) then
        ROWS[kind](row, kind)
        if row.mine and not IDLE[kind] then stir(row.who, floor(row.register / 2)) end
      end
      applied = applied + 1
    end
  end
  return batch.next, applied
end

-- What is left to do once a call, when its rows are done.
local function finish()
  for item in pairs(engaged) do write_counts(item) end
  tell()
end

--[[
apply(fence:{s}, batch): carry the rows of one batch into the shard; returns
{ offset the fence is at now, open job (0 or 1), rows applied, work done }.
A batch (msgpack): source `<topic>:<partition>`, begin, next, from_start, log, at, halvings (of its
views one in 2^halvings is counted), policy, and the columns kind, who, item, other, register, score,
young, home, offset. A call does about policy.step of work and then returns early: call again with
the same batch, or its rest, until the offset is `next` and no job is open. A row may be met twice: its register makes the second time nothing.
]]
local function apply(keys, args)
  local fence, batch = keys[1], cmsgpack.unpack(args[1])
  local time = open(fence, batch.policy, batch.at)
  local value = call('HGET', fence, batch.source)
  local refusal = refuse(batch, value) or miswritten(batch.policy.mark)
  if refusal then return redis.error_reply(refusal) end

  local position, at = match(value or '0 - 0', '^(%d+) %S+ (%d+)')
  position, at = math.max(tonumber(position), batch.begin), math.max(tonumber(at), batch.at)
  if not drain() or position >= batch.next then
    finish()
    return { position, call('EXISTS', 'job' .. here), 0, work }
  end
  local reached, applied = apply_rows(batch, position)
  if reached > position or not value then
    call('HSET', fence, batch.source,
      digits(reached) .. ' ' .. batch.log .. ' ' .. digits(at), 'time', digits(time))
    if (batch.halvings or 0) > 0 and reached > position then note_shed(batch, position, reached) end
  end
  sweep()
  finish()
  if work > 0 then call('HINCRBY', fence, 'work', digits(work)) end
  return { reached, call('EXISTS', 'job' .. here), applied, work }
end

-- drain(fence:{s}, policy): go on with the job that a worker left open; 1 while one is open.
local function go_on(keys, args)
  local numbers = cmsgpack.unpack(args[1])
  open(keys[1], numbers, 0)
  if call('HGET', 'policy' .. here, 'mark') ~= numbers.mark then return 0 end
  local done = drain()
  finish()
  return done and 0 or 1
end

-- What readers ask for. None of it writes, so a replica may answer.

-- The newest of many acts of one kind, as proofs: the latest are looked up in the circle, some at a time.
local function newest_of_many(user, item, kind, most)
  local key, circle, proofs = 'actors' .. tag .. kind .. ':' .. item, 'circle' .. tag .. user, {}
  local first, last = 0, NAMED - 1
  while last < LATEST do
    local found = call('ZRANGE', key, first, last, 'REV', 'WITHSCORES')
    local actors = {}
    for k = 1, #found, 2 do actors[#actors + 1] = found[k] end
    if #actors == 0 then return proofs end
    for n, is in ipairs(call('SMISMEMBER', circle, unpack(actors))) do
      local at = tonumber(found[2 * n])
      if is == 1 and at > cut then proofs[#proofs + 1] = { kind, actors[n], at } end
      if #proofs == most then return proofs end
    end
    first, last = last + 1, 2 * last + 1
  end
  return nil
end

-- Who reads: what is asked once a call, and spares asking for every item.
local function reader_of(user)
  local circle = 'circle' .. tag .. user
  local reader = {
    user = user, circle = circle, kinds = KINDS, wide = call('SCARD', circle) > MANY,
    is_named = call('EXISTS', 'senders' .. tag .. user) == 1, unsure = any('job') and any('erased'),
  }
  if not reader.wide then reader.kinds = kinds_by(call('SMEMBERS', circle)) end
  return reader
end

-- The live proofs of an item for a reader, in no order, and how many more acts there are.
local function found_proofs(reader, item, most)
  local proofs, more = {}, 0
  for _, kind in ipairs(reader.kinds) do
    local newest
    if reader.wide and most < NAMED then
      local key = 'actors' .. tag .. kind .. ':' .. item
      local count = call('ZCARD', key)
      if count > NAMED then count = call('ZINTERCARD', '2', reader.circle, key, 'LIMIT', COUNTED) end
      newest = count > NAMED and newest_of_many(reader.user, item, kind, most)
      for _, proof in ipairs(newest or {}) do proofs[#proofs + 1] = proof end
      more = newest and more + count - #newest or more
    end
    if not newest then add_acts(proofs, reader.circle, item, kind, true) end
  end
  if reader.is_named then add_shares(proofs, reader.circle, item, reader.user) end
  return proofs, more
end

local function newer(a, b) return a[3] > b[3] end

-- The newest of some proofs, newest first, at most `most`.
local function newest_of(proofs, most)
  if #proofs <= most then
    if #proofs > 1 then table.sort(proofs, newer) end
    return proofs
  end
  local newest = {}
  for _, proof in ipairs(proofs) do
    local place = #newest + 1
    while place > 1 and newest[place - 1][3] < proof[3] do place = place - 1 end
    if place <= most then
      table.insert(newest, place, proof)
      newest[most + 1] = nil
    end
  end
  return newest
end

-- Those of some proofs that are not an erased account's.
local function unerased(proofs)
  local left = {}
  for _, proof in ipairs(proofs) do
    if not is_erased(proof[2]) then left[#left + 1] = proof end
  end
  return left
end

local function count_actors(proofs)
  if #proofs == 1 then return 1 end
  local actors, count = {}, 0
  for _, proof in ipairs(proofs) do
    if not actors[proof[2]] then actors[proof[2]], count = true, count + 1 end
  end
  return count
end

-- The newest live proofs, at most `most`; how many acts there are, and how many actors; and all proofs,
-- where none are but counted. Where many of one kind are in a wide circle, acts are counted, up to
-- COUNTED. While a job is open an erased account may be among them, and a feed may have what was taken
-- down: both are left out.
local function shown_proofs(reader, item, most)
  if is_down(item) then return {}, 0, 0, {} end
  local proofs, more = found_proofs(reader, item, most)
  if reader.unsure then proofs = unerased(proofs) end
  if #proofs == 0 then return proofs, more, more, proofs end
  return newest_of(proofs, most), #proofs + more, count_actors(proofs) + more, more == 0 and proofs
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

-- The feed with the acts that are in no feed merged into it. What a full feed lacks of other acts on
-- such an item lies below its lowest entry, or its floor: it is looked up where it may matter.
local function merged(user)
  local feed, stored = {}, {}
  local found = call('ZRANGE', 'feed' .. tag .. user, '0', '-1', 'REV', 'WITHSCORES')
  for k = 1, #found, 2 do
    local entry = { found[k], tonumber(found[k + 1]) }
    feed[#feed + 1], stored[found[k]] = entry, entry
  end
  local strengths = kept_back(user)
  if not strengths then return feed end
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

-- A user's feed, best first: { item, effective time }; a cold user's is made of their circle's acts.
local function feed_of(user)
  local feed = is_awake(user) and merged(user) or pull(user, true)
  for k = #feed, policy.feed_size + 1, -1 do feed[k] = nil end
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

-- The authors of items, in their order; '' where there is none.
local function authors_of(entries)
  local authors = {}
  for n, entry in ipairs(entries) do authors[n] = call('HGET', 'item' .. tag .. entry[1], 'author') or '' end
  return authors
end

-- The top of a feed, each entry with its newest proofs, at most `most`.
local function entries_of(user, limit, most)
  local entries, reader, feed = {}, reader_of(user), feed_of(user)
  local authors = has_cut_off(user) and authors_of(feed) or {}
  local apart = apart_of(user, authors)
  for n, entry in ipairs(feed) do
    if #entries == limit then break end
    local proofs, count = shown_proofs(reader, entry[1], most)
    if count > 0 and not apart[authors[n] or ''] then
      entries[#entries + 1] = { entry[1], digits(entry[2]), count, proofs }
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
  return policy and entries_of(user, limit, most) or {}
end

-- The candidates of a draw.

local SOCIAL, TRENDING, TASTE, FRESH = 1, 2, 4, 8   -- what brought a candidate
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

-- All candidates, each once, in the order in which they are found; what brought each; and the scores
-- of those in the feed.
local function gather(user, wanted, likings, marks)
  local items, sources, social = {}, {}, {}
  local function add(item, source)
    local known = sources[item]
    if not known then
      items[#items + 1], sources[item] = item, source
    elseif source > 0 and floor(known / source) % 2 == 0 then
      sources[item] = known + source
    end
  end
  for _, entry in ipairs(feed_of(user)) do
    add(entry[1], SOCIAL)
    social[entry[1]] = entry[2]
  end
  local function add_top(key, count, source)
    for _, item in ipairs(unmarked(key, count, marks)) do add(item, source) end
  end
  add_top('trending' .. here, wanted.trending, TRENDING)
  for _, topic in ipairs(favourite_topics(likings, wanted)) do
    add_top('trending' .. tag .. topic, wanted.per_topic, TASTE)
  end
  add_top('fresh' .. here, wanted.fresh, FRESH)
  for _, item in ipairs(wanted.also) do add(item, 0) end
  return items, sources, social
end

-- All that is known of a candidate; nil where the circle alone brought it, and does no more.
local function described(reader, item, sources, social, wanted)
  if is_down(item) then return nil end
  local proofs, count, actors, all = shown_proofs(reader, item, wanted.proofs)
  if count == 0 then
    if social and sources == SOCIAL then return nil end
    if social then sources, social = sources - SOCIAL, nil end
  elseif not social then
    social = all and score_by(reader.user, all) or score_of(reader.user, item, acts_on(item), true)
    sources = sources + SOCIAL
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
  local function counts(item) return sources[item] == SOCIAL and not (waiting and not waiting[item]) end
  local function takes(item) return room > 0 or not counts(item) end
  local function took(item, author, actors)
    local shown = author ~= reader.user and actors >= (wanted.threshold or 1) and not marked[item]
    if shown and counts(item) then room = room - 1 end
  end
  return takes, took
end

-- What a page of the user is made of, as `draw` says below.
local function drawn(user, wanted)
  if not policy then return { {}, {}, {}, {}, {}, {}, {}, {}, {} } end
  local likings = likings_of(user, wanted.likings)
  local candidates, behind, accounts, named = {}, {}, {}, {}
  local function name(account)
    if account ~= '' and not named[account] then
      named[account] = true
      accounts[#accounts + 1] = account
    end
  end
  local reader, marks = reader_of(user), marker_of(user)
  local items, sources, social = gather(user, wanted, likings, marks)
  local found, marked = marks(items)
  local takes, took = window_of(reader, wanted, sources, marked)
  for _, item in ipairs(items) do
    local all = takes(item) and described(reader, item, sources[item], social[item], wanted)
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
  return cmsgpack.pack(drawn(args[1], wanted))
end

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
    for k, entry in ipairs(policy and feed_of(user) or {}) do feed[k] = { entry[1], entry[2] } end
    found[n - 1] = {
      feed, floor_of(user) or '', call('SMEMBERS', 'circle' .. tag .. user),
      policy and entries_of(user, wanted.page, wanted.page_proofs) or {}, drawn(user, wanted),
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

-- wake(fence:{s}, user[, shards[, at]]): a user came to read, now or `at`. Their feed is made, if they
-- were away, and kept up to date from now on; 1 where it is.
local function wake_up(keys, args)
  local time, user = open(keys[1], nil, 0), args[1]
  local refusal = misread(args[2])
  if refusal then return redis.error_reply(refusal) end
  if not policy or is_erased(user) then return 0 end
  wake(user, tonumber(args[3] or time))
  return is_awake(user) and 1 or 0
end

-- A function that people call, too: without its key, or all of `arguments`, it says what to give.
local function asking(callback, count, arguments)
  return function(keys, args)
    if #keys ~= 1 or not string.match(keys[1], '{%d+}') or #args < count then
      return redis.error_reply('ERR give 1 key, the fence:{s} of the shard, and ' .. arguments)
    end
    return callback(keys, args)
  end
end

local paged = asking(page, 2, 'a user, a number of entries and, if you like, one of proofs')
local drawing = asking(draw, 2, 'a user and what is wanted')
local waking = asking(wake_up, 1, 'a user')

redis.register_function('likewave_1_apply', apply)
redis.register_function('likewave_1_drain', go_on)
redis.register_function('likewave_1_wake', waking)
redis.register_function { function_name = 'likewave_1_page', callback = paged, flags = { 'no-writes' } }
redis.register_function { function_name = 'likewave_1_draw', callback = drawing, flags = { 'no-writes' } }
redis.register_function { function_name = 'likewave_1_snapshot', callback = snapshot, flags = { 'no-writes' } }
redis.register_function { function_name = 'likewave_1_shelf', callback = shelf, flags = { 'no-writes' } }

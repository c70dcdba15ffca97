-- Signals: an act comes into feeds, or goes out of them, for few fans or many, at once or as a job.

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


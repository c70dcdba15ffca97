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

-- The live acts of one kind on the item by a circle, oldest first: { who, at + 1, who, ... }, since a member
-- of the circle counts 1.
local function acts_in(circle, item, kind)
  local found = call('ZINTER', '2', circle, 'actors' .. tag .. kind .. ':' .. item, 'WITHSCORES')
  if #found == 0 or found[2] - 1 > cut then return found end
  local live = {}
  for k = 1, #found, 2 do
    if found[k + 1] - 1 > cut then live[#live + 1], live[#live + 2] = found[k], found[k + 1] end
  end
  return live
end

-- The shares with the user by name, in no order.
local function shares_in(circle, item, user)
  local shares = {}
  local given = call('ZRANGE', 'direct' .. tag .. item, '[' .. user .. '|', '(' .. user .. '}', 'BYLEX')
  for _, member in ipairs(given) do
    local sender = string.sub(member, #user + 2)
    if call('SISMEMBER', circle, sender) == 1 then
      local at = call('ZSCORE', 'acts' .. tag .. 'direct:' .. sender .. '|' .. user, item) / 2
      if at > cut then shares[#shares + 1] = { 'direct', sender, at } end
    end
  end
  return shares
end

-- The live proofs of (user, item), { kind, who, at }, in no order: of what was pushed, or of `all` acts;
-- `acts` saves looking where there is nothing.
local function proofs_of(user, item, acts, all)
  local circle = 'circle' .. tag .. user
  local proofs = acts.direct > 0 and shares_in(circle, item, user) or {}
  for _, kind in ipairs(KINDS) do
    local found = acts[kind] > 0 and acts_in(circle, item, kind) or {}
    for k = 1, #found, 2 do
      if all or not is_pulled(kind, found[k], item) then
        proofs[#proofs + 1] = { kind, found[k], found[k + 1] - 1 }
      end
    end
  end
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


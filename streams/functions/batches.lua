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
  write_counts(engaged)
  tell()
end

--[[
apply(fence:{s}, batch): carry the rows of one batch into the shard; returns
{ offset the fence is at now, open job (0 or 1), rows applied, work done }.
A batch (msgpack): source `<topic>:<partition>`, begin, next, from_start, log, at, halvings (of its
views one in 2^halvings is counted), policy, and the columns kind, who, item, other, register, score,
young, home, offset. A call does about policy.step of work and then returns early: call again with
its rest, which begins at that offset, until it is `next` and no job is open. A row may be met twice: its register makes the second time nothing.
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
  write_collected()
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


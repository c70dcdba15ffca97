-- What the library offers.

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

local function register(name, callback)
  redis.register_function { function_name = 'likewave_1_' .. name, callback = callback, flags = { 'no-writes' } }
end

local LISTED = 'a user, a number of entries and, if you like, one of proofs'

redis.register_function('likewave_1_apply', apply)
redis.register_function('likewave_1_drain', go_on)
redis.register_function('likewave_1_wake', asking(wake_up, 1, 'a user'))
register('page', asking(page, 2, LISTED))
register('live', asking(live, 2, LISTED))
register('draw', asking(draw, 2, 'a user and what is wanted'))
register('snapshot', snapshot)
register('shelf', shelf)

"""Where the feeds meet the world: Kafka, Redis, Faust, terminals.

In import order; a module imports only what stands above it:

    clock         the wall clock: the only place where it is read
    settings      where things are, and where each value comes from
    kafka         connecting to a broker, and what it says when it cannot be
    metadata      topic ids, by a request that aiokafka does not know
    topics        the topics: created, checked, and where their logs lie
    store         the Redis or Valkey that holds the feeds, and what it must be like
    feeds         the write side of the shards (feeds.lua: what a batch does to one)
    reader        the read side of the shards: pages and snapshots
    transport     one fetched stretch of one partition is one Faust event
    fences        where a worker stands: the shards' fences against the log
    dead_letters  what cannot be applied, and why
    agents        the Faust application: one agent a topic
    watchdog      ends a worker whose shards fell behind or no longer move
    worker        one worker, from checks to a clean or a loud end
    history       the log, read on its own account
    audit         the feeds in the store held against the definition
    producer      publishing events: idempotent, in bulk, honestly counted
"""

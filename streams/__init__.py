"""Where the feeds meet the world: Kafka, Redis, Faust, terminals.

In import order; a module imports only what stands above it.

Where things are:

    clock         the wall clock: the only place where it is read
    stamp         what tells one state of a file from another
    garbage       memory that is given back: Python looks for cycles seldom
    policy_file   the policy file: numbers of feeds, of pages, and of what is tried
    values        what the value of a setting may be, and what to give instead
    settings      where things are, and where each value comes from
    tls           TLS: certificates of connections, and what their errors mean
    keys          public keys from a file that is looked at again, and a local stack's own
    kafka         connecting to a broker, and what it says when it cannot be
    metadata      topic ids, by a request that aiokafka does not know
    alteration    options of topics, set one by one: a request that aiokafka does not know
    topics        the topics: created, checked, and where their logs lie
    library       the shard functions in the store: streams/functions/*.lua as one library
    connections   connections to the store that let go of a task as soon as it is cancelled
    store         the Redis or Valkey that holds the feeds, and what it must be like
    metrics       metrics on a port of their own, for Prometheus, and what a supervisor asks there

Publishing:

    contract      the contract as documents: JSON Schema and AsyncAPI
    producer      publishing events: idempotent, in bulk, honestly counted
    publisher     publishing for many callers at once, each told when Kafka has acknowledged
    client        the client of producers: every kind of event as a method
    progress      how far a publication has come, told once a second
    noise         poison, repetition and lateness, mixed into traffic
    simulate      simulated traffic in real time
    lines         events as JSON lines, from a file or a pipe
    datasets      data sets of other systems as events
    replay        events of a file, a pipe or a data set, at their pace

From the log into the feeds:

    worker_metrics  what a worker counts, for Prometheus
    feeds         the write side of the shards (functions/: what a batch does to one)
    reader        the read side of the shards: feeds with their reasons, and where a shard stands
    pages         what a page is made of, read in one call
    transport     one fetched stretch of one partition is one Faust event
    fences        where a worker stands: the shards' fences against the log
    dead_letters  what cannot be applied, and why
    breakers      which partitions wait until somebody has looked, as the store knows it
    shedding      how far a worker sheds load, by what waits in its partitions
    agents        the Faust application: one agent a topic
    watchdog      ends a worker whose shards fell behind or no longer move
    exits         what workers ended with: counted in the store, where the next one finds it
    worker        one worker, from checks to a clean or a loud end

Pages for users:

    page_policies  the page policies of this moment: the policy file, looked at again and again
    exposures     how many pages each group of an experiment was shown
    pager         pages for users, one after another, and why an item is on one
    documents     pages and explanations as JSON

Held against the definition:

    history       the log, read on its own account
    snapshots     what the store holds at one moment: of users, and of items
    fold          the log up to the fences of a shard, as a view
    audit         what is in the store held against the definition
    spot_check    an exact audit of a few users, with no more of the log in memory than they need
    continuous    the continuous audit: a few users at a time held against the log, again and again
    attendance    who is there to apply events: members of the group, connected workers
    lag           how far the feeds are behind the log
    hot_accounts  who makes the events of a partition
    verdicts      how every partition does: lag, rates and verdicts over a window
    course        the course of the last minutes: numbers of every moment, as columns
    report        what operators look at: diagnosis, state of the store, freshness
    outlook       the last report of a monitor, or where none runs one made here

When something is wrong:

    stretches     stretches of the log, read to their ends
    letters       the dead letters as an operator finds them: read to the end, and marked
    purge         takes the letters that name somebody out of the dead-letter topic
    redrive       dead letters sent again to the topics they came from
    erasure       somebody is erased, and what is left of them counted
    filling       fills shards from the log, as a worker does, but alone and without a group
    generations   two generations of shards in one server: one serves, one is filled beside it
    rebuild       the feeds filled anew beside those that serve, checked, and swapped in

The local stack:

    child         a program of the local stack as a child process, with its words in a log file
    server        a server of the local stack: a child that is started once it answers
    local         the servers of the local stack: Apache Kafka from its jars, Valkey
    supervisor    children that end are started again, each time a little later
    stack         the local stack of a folder, started together and kept running
    sandbox       a private store to evaluate and simulate in, filled as a worker fills one
    evaluation    prequential evaluation: every target is asked for before the shards know of it
    audience      people who read their pages and answer: the loop from events to pages and back

Checked:

    host_checks   what may be wrong on this host: policy file, the API, the local stack
    letter_checks  what may be wrong with producers: why records are dead letters of late
    broker_checks  what may be wrong with Kafka: brokers, topics, the group, clocks
    store_checks  what may be wrong with the store, one thing a check
    log_checks    what may be wrong between log and store: fences missing, or not within this log
    doctor        every check of a deployment, and the safe ones among the remedies

Doors:

    api_metrics   what the API counts, for Prometheus
    problems      what went wrong with a request, as a problem document
    access        who calls: the subject of a bearer token, and nobody else
    tickets       one-use tickets, for a stream
    quotas        how often one user may ask
    cursors       cursors of pages, sealed
    guard         what every request passes first: size, headers, mistakes, a clock
    answers       what the doors answer with, and how it is sent
    items         items for those who look: what counts for one, and what trends
    live_feeds    live feeds as front-ends show them, with what is known of their items
    notices       who has a stream open, and whose live feed changed
    screens       the live feeds of all who have a stream open here, read again when they changed
    readiness     whether the feeds have caught up with the log, as a load balancer has to know
    doors         what an endpoint asks for: who calls, and what it reads from
    health_api    whether the API lives, and whether it can do its work
    feed_api      the doors of the feed: pages, the live feed, explanations
    stream_events  what a stream says, as server-sent events
    stream_api    the stream: the live feed of whoever calls, as server-sent events
    items_api     the doors of items: what trends, and what counts for one
    submissions   events as they may be handed in over HTTP, described for the contract
    events_api    the door of events: published once Kafka has acknowledged
    operator_api  the door of operators: how the stream does
    session_api   the doors of access: who the caller is, cookies, tickets
    web_page      the web pages: their files, under an address that changes with any of them
    reference     the contract as a page for people
    api           the API: one application, whose doors are the routers above
    listening     where a server of ours listens, and how it is told to leave
    serve         the API under uvicorn, until it is told to stop

For people:

    wording       a feed in words: where an item stands, why, and how strongly it is held
    logs          what a worker says: one line a fact, for people or for machines
    terminal      results to standard output, progress to standard error
    display       what was read: as a table or as JSON, once or whenever it changes
    starting      Ctrl-C while a command is still being imported: it ends at once, without a trace
    interrupts    Ctrl-C and SIGTERM as a wish: what runs comes to its end first
    origins       where every setting comes from; passwords are masked
    tables        what commands show to a person
    check_tables  what the doctor found, as a person reads it
    lag_tables    lag and verdicts, as a person reads them
    page_tables   pages, explanations and exposures, as a person reads them
    charts        an evaluation as a person sees it: a table, and a picture with its intervals
    canary        acts by a reserved account, timed until they are there to be read
    monitor_metrics  what the monitor found, as Prometheus metrics
    monitor       looks at log, store and freshness, and serves what it found
    probe         how long an act takes to become visible, as one pair of friends meets it
    pulse         how the stream does, in a few numbers
    live          the live view: one feed as it moves, and the pulse of the stream
    demo          the demonstration: stack, traffic, live view, verdict
    known         whom the store knows, and whom nothing ever named
    operation     the commands that run Likewave
    publication   the commands that publish events, and the one that says what an event is
    inspection    the commands that look at Likewave
    checking      the command that looks after a deployment
    keyboard      keys that are pressed while something runs in a terminal
    top_tables    what operators look at, on one screen
    top           the live view for operators: until q or Ctrl-C
    monitoring    the commands that watch over the stream: lag, top, monitor
    showing       the commands that show pages
    judging       the command that judges rankings
    serving       the commands that open the doors
    inert         what somebody else wrote, so that no terminal takes it for a command
    letter_tables  what the commands about dead letters show
    letter_choice  which dead letters a command is about
    dlq           the commands about dead letters
    erasing       the command that erases somebody
    upkeep        the command that keeps a store in good order
    cli           the `likewave` command
"""

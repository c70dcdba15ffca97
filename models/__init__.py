"""What a feed is: values and decisions, without I/O and without a clock.

In import order; a module imports only what stands above it:

    errors       what can go wrong, as one tree
    counting     a number and what it counts, in words
    moments      a moment in words
    finding      what a check of a deployment found, and the command that mends it
    policy       the numbers a product owner may turn
    events       what is published: kinds, fields, topics; the one source of the contract
    draws        seeded chance, one number at a time, and a memory of things done
    network      a social network to simulate: heavy tails, friends close by
    catalogue    the items of a simulation: a few very popular, new ones all the time
    traffic      what its people do: an endless, seeded stream of events
    decay        scores are times: the arithmetic of effective time
    decoding     records of a batch become events, or rejects with the reason
    breaker      when so much of a partition is invalid that somebody had better look first
    letters      dead letters: what they say, which are chosen, what became of them
    traces       where the store names accounts, and how often
    submission   events as front-ends hand them in: whose they are, and what need not be said
    cloudevents  CloudEvents over HTTP: what the headers say of the event in the body
    columns      events as columns of rows, the shape in which they reach a shard
    shedding     what is counted of views while too many events wait
    routing      which shards a row concerns
    registers    switches whose last writer wins
    circle       whose acts reach whom, and how much they weigh
    authorship   whose an item is, and what it is about
    view         the definition: the feeds that a list of events must end in
    engagement   the definition of an item's counters and trending score
    difference   something that is not as the definition asks, in one line for a person
    comparison   when a feed that was found is the one the definition asks for
    present      what stored scores are worth at the moment somebody looks
    taste        what a viewer likes, topic by topic
    page_policy  the numbers of a page
    candidate    who looks, what could be shown to them, and what must not be
    viewing      the definition of who looks: what a page is made with, beside what it is made of
    holding      what a store holds at one moment, as an audit finds it: of a user, and of items
    evidence     when the proofs that readers see are the newest of those that there are
    agreement    when what is held of a user, beside the feed, is what the definition asks for
    trends       when what counts for items, and what is listed as trending or fresh, is right
    blend        one number for what speaks for an item
    composition  nobody fills a page alone, and some of it is new to the viewer
    reasons      why an item is on a page, in words that a viewer understands
    ranking      the page: what a viewer is shown, in which order
    propriety    what no page may show, however it was made: the last word of an audit on pages
    examination  all that is held of a user, or of items and lists, against the definition
    explanation  why an item stands where it does, or is on no page: every number
    cursor       paging over a live feed
    paging       one page after another: what is shown, what waits, what is new
    movement     what became of a live feed: entries that are gone, moved, new or changed
    experiment   two page policies side by side
    people       who the people of a simulation are: hidden interests, what they make
    viewers      what people do with their pages
    spread       how far something spreads, how evenly, how broadly
    diary        what came of a simulation, for circles, creators and topics
    spam         what spam looks like
    presence     a worker as the store knows it: whether it is silent, whether it has just come
    refusal      why a store refuses writes, and the command that helps
    verdict      how one partition does, judged over a window of observations
    baselines    plain rankings of the same acts, to hold pages against: the crowd, friends, chance
    study        what is studied: a history whose users and items are numbers, its circles, its acts
    evaluation   how well rankings foretell what people go on to do
"""

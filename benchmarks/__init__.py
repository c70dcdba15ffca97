"""How fast it is, against others who do the job, all in one run: `python -m benchmarks`.

In import order:

    report      what came out: rates, CPU times, figures to reach
    workload    a circle where everybody has 20 fans, and likes by Zipf's law
    lab         the servers of a run: a broker, and stores that are filled once and copied
    stopwatch   measures one round: time, CPU time of this process and of the store
    programs    runs contenders and workers as processes of their own
    workers     Likewave's worker, and how far it has come
    publisher   a program that publishes likes at an even rate
    bare        the bare writes, encoded beforehand
    contenders  the others: programs that read a preloaded log
    ingest      events from Kafka to columns
    fanout      signals into full feeds
    job         the whole job, from Kafka to feeds
    memory      bytes of a feed
    popular     one act for 5,000 fans
    famous      one act for a million fans, and their pages
    returning   the first page of somebody who was away
    freshness   from act to visible, and pages meanwhile
    streams     the API as a process of its own, and many who have a stream open there
    push        from act to the screens of connected friends, and what streams cost
    requests    pages over HTTP while likes come in
    clients     acts that the client of producers has acknowledged
    recovery    a worker after SIGKILL
    rebuilding  the log filled anew beside the feeds that serve
    skew        clocks that can be set
    processes   commands by clocks of their own, and a Prometheus
    plant       a deployment to break, with a Prometheus that watches
    watchers    those who say what is wrong
    dashboard   the dashboard's queries, of a live Prometheus
    drill       the faults: what is done, what is said of it, what mends it
    faults      a drill: every fault named, and mended as the runbook says
    lives       simulated people who live with the pages of one policy
    spread      how far, evenly and broadly things spread, against friends or popularity alone
    spam        what spam brings about, at most
"""

"""The contenders, each a program of its own that reads a preloaded log: `python -m ... COUNT`.

Where Kafka and Redis are they read from the environment, as a worker does. In import order:

    meter              counts what a contender has done, and reports when it is done
    decoded            ingest: Likewave's transport and agents, without a store
    faust_record       ingest: a plain Faust agent over a Record
    aiokafka_orjson    ingest: aiokafka and orjson, laid out in numpy
    pipelines          feeds written by redis-py in pipelines, as the others write them
    faust_pipeline     the whole job: plain Faust agents and redis-py
    aiokafka_pipeline  the whole job: aiokafka, orjson and redis-py
"""

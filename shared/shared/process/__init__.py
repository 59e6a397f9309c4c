"""From `Service` values to a running process.

service    the value: name, router, consumers, loops, metadata, migrations
loops      `tick(tx, now)` done once; a runner repeats it
supervise  background tasks that are re-created with back-off, visibly
assembly   one process of one to five services, started and stopped in order
run        `run(*services)`: the command, with signals and HTTP
start      `start("intake")`: what `python -m intake` is
"""

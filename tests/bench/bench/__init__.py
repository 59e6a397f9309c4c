"""`make bench`: figures, each beside its floor, measured in turns in one run.

figure     what is compared: sides, ratios; and the rounds A B A B …
stage      servers, databases, virtual hosts and processes a figure plays on
load       HTTP load by wrk
cpu        which process the time went to
machine    on what it was measured
result     the JSON and the table it leaves behind

transport  T2: from committed row to committed inbox row, over plain publishing
writes     one durable write behind one HTTP route, over a route that does nothing
timers     lateness of durable timers, over a bare loop

A new figure is a module with a `FIGURE`, named in `__main__`.
"""

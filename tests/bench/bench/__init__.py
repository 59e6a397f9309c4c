"""`make bench`: figures, each beside its floor, measured in turns in one run.

figure     what is compared: sides, ratios, limits; and the rounds A B A B …
stage      servers, databases, virtual hosts and processes a figure plays on
suite      the five services as processes; embedded: the all-in-one with its own database
doors      a route beside two floors; floors: the process of both
chain      a door and all that follows: how much it carries, how soon it shows
services   the toy services, one event more; minimal: the shortest way in
load       HTTP load by wrk
cpu        which process the time went to
machine    on what it was measured
result     the JSON each figure leaves behind; pages: the same to be read, and the index

transport  T2: from committed row to committed inbox row, over plain publishing
writes     one durable write behind one HTTP route, over a route that does nothing
intake     T1: a request registered with all that follows, over the same
reaction   T3, T4: through all five services to ticket and clocks, over a pipeline without rules
rivals     T9: a ticket through the API, over django-helpdesk (desk: what that is served by)
memory     T7: what the all-in-one weighs, and what work leaves behind
soak       T7: whether it grows within half an hour
starts     T8, T7: until the first request is answered, and the weight of the process then
triage     R05–R09: the rules of triage on labelled requests
timers     lateness of durable timers, over a bare loop

A new figure is a module with a `FIGURE`, named in `__main__`.
"""

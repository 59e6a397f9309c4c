"""The ground the proofs stand on: services as real processes, their load, what breaks, the verdict.

ground   a fresh database and virtual host on servers that may be killed
suite    the replicas of maker and keeper, with production-like settings, behind proxies where wanted
things   what is made, drawn from a seed, and so what must come out: the oracle
client   an adapter that repeats its requests until it is told that they were done
load     client, bulk writer and doubler at work while something else breaks things
faults   the deck of faults a proof deals from its seed
verdict  rest, then every checker; the result file

For the five services themselves:

installation   the product as `make up` and `make run` start it; kill -9 of each of its processes
wishes         what customers ask, drawn from a seed, and what must become of it
customers      32 of them, and engineers, each repeating a request until it is answered
promises       the judges: tickets, owners, clocks, consequences across the five schemas
suite_verdict  rest, then every checker and judge
"""

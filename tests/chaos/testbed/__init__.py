"""The ground the proofs stand on: the toy services as real processes, their load, what breaks, the verdict.

ground   a fresh database and virtual host on servers that may be killed
suite    the replicas of maker and keeper, with production-like settings, behind proxies where wanted
things   what is made, drawn from a seed, and so what must come out: the oracle
client   an adapter that repeats its requests until it is told that they were done
load     client, bulk writer and doubler at work while something else breaks things
faults   the deck of faults a proof deals from its seed
verdict  rest, then every checker; the result file
"""

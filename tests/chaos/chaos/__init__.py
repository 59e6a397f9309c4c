"""The tools for proof: break things on purpose, write down what the client saw, judge the tables afterwards.

proxy      a TCP proxy that delays, cuts, resets, stalls and swallows
schedule   a seeded plan of faults, and the player that replays it
processes  replicas as child processes: killed, suspended, restarted, never orphaned
nursery    where they are born quickly; databases: migrated once, then copied
journal    what the client asked and was told
checkers   C1, C2, C3 and C9 by SQL, and the wait for quiescence before them
timeline   what was done when
result     the file a proof leaves behind
"""

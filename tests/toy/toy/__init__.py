"""Two tiny services that stand for any: `maker` publishes, `keeper` folds what it hears.

`keeper` reads, computes in Python and writes back, so that a lost update, a lost event or a second effect
shows in its tables; `effect` has no unique key on purpose.
"""

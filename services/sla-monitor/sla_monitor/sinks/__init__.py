"""Who is told of alerts outside of our pages, and by which way.

kinds    one module per way out; `registry` finds them
notices  an alert that a sink is to tell, made in the transaction that raises the alert
rules    which notices become one message and when; when to try again
lanes    one lane per sink: gathers, sends, records, so that a failing sink delays no other
"""

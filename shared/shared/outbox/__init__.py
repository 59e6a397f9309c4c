"""Events out: written with the change that caused them, sent by a relay until somebody has them.

emit    append an event to the transaction
relay   outbox → bus, one per process and service
resend  queue again what a broker lost
"""

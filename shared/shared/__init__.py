"""What every Aftercare service stands on; nothing in here knows a service.

clock      time and identifiers        events   the published language
db         transactions, migrations    outbox   events out, in the transaction of the change
http       doors, pages, problems      inbox    events in, exactly one effect each
process    run(*services)              bus      RabbitMQ, and the memory bus of the all-in-one
"""

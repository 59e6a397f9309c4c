"""Tickets, the organisation, assignment, visits and the engineers' app.

owns        tickets and who is accountable for each, the organisation, visits, acceptance by customers
path        /dispatch
events in   intake.request_registered, intake.request_reclassified, parts.parts_reserved, parts.parts_short
events out  everything in shared.events.dispatch
loops       acceptance: reminds customers who do not answer, then closes as unconfirmed
"""

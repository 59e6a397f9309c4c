"""Tickets, the organisation, assignment, visits and the engineers' app.

owns        tickets and who is accountable for each, the organisation, visits, acceptance by customers
path        /dispatch
events in   intake.request_registered, request_reclassified, request_merged, request_split, request_solved,
            answer_given, customer_changed, customer_erased, request_linked,
            incident_declared, incident_updated, incident_ended; parts.parts_reserved, parts_short,
            parts_used, parts_released
events out  everything in shared.events.dispatch
loops       acceptance: reminds customers who do not answer, then closes as unconfirmed;
            leave: hands over what those have whose leave begins; offers: asks the next one after silence
"""

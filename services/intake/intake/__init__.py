"""Requests in, conversation out: the service desk.

owns        customers and all contact data, requests with their raw source, calls, messages,
            incidents, knowledge
events in   dispatch: tickets opened, assigned, declined, withdrawn, visits agreed, engineers on the way and
            arrived, work begun, paused, resumed, resolved, accepted, rejected, closed, cancelled, reopened;
            parts short, reserved, released; clocks started, paused; customer messages requested by
            dispatch and feedback
events out  intake.request_registered, request_reclassified, request_answered, request_closed,
            request_reopened, answer_given,
            call_*, incident_*, request_linked, request_merged, request_split,
            history_imported: tickets of other systems, passed on for replays
loops       requests without a ticket raise an alarm; calls that ring too long count as missed;
            bursts of requests with one cause are proposed as incidents
"""

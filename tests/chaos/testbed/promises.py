"""The judges of the whole suite: what must hold across the five schemas once all is at rest.

Like the checkers each is one statement that sees one snapshot; `db` is connected as administrator.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from allinone.access import NAMES
from chaos.checkers import Database, Report, judge

CREATED: Final = (
    "SELECT coalesce(substring(title FROM '^[a-z]+-[0-9]+$'), title) AS key, id FROM intake.request"
)
"""Requests by the reference of the wish they are."""

_NOTHING_ELSE: Final = """
    wanted(reference) AS (SELECT * FROM unnest($1::text[])),
    refused(reference) AS (SELECT * FROM unnest($2::text[])),
    checked AS (SELECT (SELECT count(*) FROM wanted) + (SELECT count(*) FROM refused) AS n),
    trace(reference, place) AS (
        SELECT title, 'request' FROM intake.request
        UNION ALL SELECT name, 'customer' FROM intake.customer
        UNION ALL SELECT external_id, 'call' FROM intake.call
        UNION ALL SELECT external_id, 'aside' FROM intake.set_aside
        UNION ALL SELECT substring(encode(body, 'escape') FROM 'bad-[0-9]+'), 'source' FROM intake.source
        UNION ALL SELECT key, 'idempotency' FROM intake.idempotency
        UNION ALL SELECT title, 'ticket' FROM dispatch.ticket),
    violation AS (
        SELECT 'refused_and_kept' AS kind, format('%s in %s', reference, place) AS detail
        FROM trace JOIN refused USING (reference)
        UNION ALL
        SELECT 'nobody_asked', title FROM intake.request
        WHERE NOT EXISTS (SELECT FROM wanted WHERE reference = title))
"""


async def check_nothing_else(db: Database, wanted: Collection[str], refused: Collection[str]) -> Report:
    """What was refused left no trace, and there is no request that nobody was told is accepted."""
    return await judge(db, "refusals", _NOTHING_ELSE, sorted(wanted), sorted(refused))


_TICKETS: Final = """
    wish(reference, severity, kind) AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[])),
    ticket AS (
        SELECT request_id, count(*) AS times, min(id::text)::uuid AS id, min(severity) AS severity,
            min(kind) AS kind
        FROM dispatch.ticket GROUP BY request_id),
    assigned AS (
        SELECT subject, count(*) AS times FROM dispatch.event_log
        WHERE type = 'dispatch.ticket_assigned.v1' GROUP BY subject),
    judged AS (
        SELECT request.title AS reference, coalesce(request.id, ticket.request_id) AS request_id,
            request.id IS NOT NULL AS asked, coalesce(ticket.times, 0) AS times,
            coalesce(assigned.times, 0) AS assigned, request.ticket_id = ticket.id AS linked,
            (ticket.severity, ticket.kind) = (wish.severity, wish.kind) AS as_meant
        FROM intake.request FULL JOIN ticket ON ticket.request_id = request.id
        LEFT JOIN assigned ON assigned.subject = ticket.id::text
        LEFT JOIN wish ON wish.reference = request.title),
    checked AS (SELECT count(*) AS n FROM judged),
    violation AS (
        SELECT kind, format('%s (%s): %s tickets', reference, request_id, times) AS detail
        FROM judged CROSS JOIN LATERAL (VALUES
            ('no_ticket', asked AND times = 0),
            ('several_tickets', asked AND times > 1),
            ('ticket_without_request', NOT asked),
            ('request_not_told_its_ticket', asked AND times > 0 AND linked IS NOT TRUE),
            ('not_assigned_once', times > 0 AND assigned <> 1),
            ('judged_otherwise', asked AND times > 0 AND as_meant IS NOT TRUE)) AS verdict(kind, holds)
        WHERE holds)
"""


async def check_tickets(db: Database, wishes: Sequence[tuple[str, str, str]]) -> Report:
    """Each request has one ticket, is told of it, and it was given to somebody once.

    `wishes` are (reference, severity, kind): what a person would say of each.
    """
    columns = [[wish[column] for wish in wishes] for column in range(3)]
    return await judge(db, "tickets", _TICKETS, *columns)


_OWNERS: Final = """
    first AS (
        SELECT subject, count(*) AS times, min(body::jsonb #>> '{data,owner_id}') AS owner_id
        FROM dispatch.event_log WHERE type = 'dispatch.ticket_opened.v1' AND sequence = 1 GROUP BY subject),
    judged AS (
        SELECT ticket.id, coalesce(first.times, 0) AS opened,
            first.owner_id IN (SELECT id::text FROM dispatch.person WHERE active) AS owned_at_first,
            ticket.owner_id IN (SELECT id FROM dispatch.person WHERE active) AS owned_now,
            ticket.owner_id = subject.owner_id AS known
        FROM dispatch.ticket LEFT JOIN first ON first.subject = ticket.id::text
        LEFT JOIN sla.subject ON subject.id = ticket.id),
    checked AS (SELECT count(*) AS n FROM judged),
    violation AS (
        SELECT kind, format('ticket %s, opened %s times', id, opened) AS detail
        FROM judged CROSS JOIN LATERAL (VALUES
            ('not_opened_once', opened <> 1),
            ('unowned_at_first', opened > 0 AND owned_at_first IS NOT TRUE),
            ('unowned_now', owned_now IS NOT TRUE),
            ('another_owner_on_the_board', known IS NOT TRUE)) AS verdict(kind, holds)
        WHERE holds)
"""


async def check_owners(db: Database) -> Report:
    """The very first version of each ticket names somebody who works here; so does the latest, everywhere."""
    return await judge(db, "owners", _OWNERS)


# What R23, R52 to R62 and decision 6 promise, written down anew: not read from the policy.
_CLOCKS: Final = """
    given AS (
        SELECT ticket.*, (body::jsonb ->> 'time')::timestamptz AS given_at
        FROM dispatch.ticket JOIN dispatch.event_log ON subject = ticket.id::text
        WHERE type = 'dispatch.ticket_assigned.v1'),
    visit AS (
        SELECT subject::uuid AS ticket_id, (body::jsonb ->> 'time')::timestamptz AS agreed_at,
            (body::jsonb #>> '{data,starts_at}')::timestamptz AS starts_at
        FROM dispatch.event_log WHERE type = 'dispatch.visit_agreed.v1'),
    due(subject_id, promise, requirements, started_at) AS (
        SELECT id, 'first_reply',
            CASE WHEN channel IN ('email', 'web_chat') THEN '{R52,R53}' ELSE '{R59}' END, received_at
        FROM intake.request WHERE channel <> 'phone'
        UNION ALL
        SELECT id, 'accept', '{R61}', given_at FROM given
        UNION ALL
        SELECT subject::uuid, 'resolution', '{R60}', (body::jsonb ->> 'time')::timestamptz
        FROM dispatch.event_log WHERE type = 'dispatch.ticket_opened.v1'
        UNION ALL
        SELECT subject::uuid, 'leadership_acknowledged', '{R23}', (body::jsonb ->> 'time')::timestamptz
        FROM dispatch.event_log WHERE type = 'dispatch.leadership_informed.v1'
        UNION ALL
        -- Whenever the customer has heard from us, the next time is due, and not while they try the result.
        SELECT subject::uuid, 'progress', '{R62}', (body::jsonb ->> 'time')::timestamptz
        FROM dispatch.event_log WHERE type IN (
            'dispatch.ticket_opened.v1', 'dispatch.customer_informed.v1', 'dispatch.visit_agreed.v1',
            'dispatch.engineer_arrived.v1', 'dispatch.result_rejected.v1')
        UNION ALL
        SELECT ticket_id, 'appointment_kept', '{R58}', agreed_at FROM visit WHERE starts_at > agreed_at
        UNION ALL
        SELECT id, 'visit_agreed', '{R58}', given_at FROM given WHERE severity = 'general'
        UNION ALL
        SELECT id, 'on_site', CASE
                WHEN severity = 'urgent' THEN CASE WHEN same_city THEN '{R54}' ELSE '{R55}' END
                ELSE CASE WHEN same_city THEN '{R56}' ELSE '{R57}' END END, given_at
        FROM given WHERE severity <> 'general'),
    allowed(requirement, severity, allowance) AS (VALUES
        ('R23', 'urgent', interval '15 min'), ('R61', 'urgent', '5 min'), ('R61', 'important', '30 min'),
        ('R61', 'general', '4 h'),
        ('R54', 'urgent', '2 h'), ('R55', 'urgent', '24 h'), ('R56', 'important', '24 h'),
        ('R57', 'important', '48 h'), ('R58', 'general', '48 h'),
        ('R60', 'urgent', '24 h'), ('R60', 'important', '72 h'), ('R60', 'general', '7 days'),
        ('R62', 'urgent', '2 h'), ('R62', 'important', '8 h'), ('R62', 'general', '24 h')),
    fact(subject_id, promise, due, running, requirements, requirement, begun, started_at, wrong) AS (
        SELECT subject_id, promise, 1, 0, requirements::text[], NULL, started_at, NULL::timestamptz, false
        FROM due
        UNION ALL
        SELECT subject_id, promise, 0, 1, NULL, requirement, NULL, started_at,
            CASE promise
                WHEN 'appointment_kept' THEN NOT EXISTS (
                    SELECT FROM visit WHERE ticket_id = subject_id AND starts_at = deadline)
                -- It stands while the customer tries the result.
                WHEN 'resolution' THEN allowed.allowance <> clock.allowance
                    OR allowed.allowance > deadline - started_at
                ELSE allowed.allowance <> clock.allowance
                    OR (pause_reason IS NULL AND allowed.allowance <> deadline - started_at)
            END
        FROM sla.clock LEFT JOIN allowed USING (requirement, severity)),
    judged AS (
        SELECT subject_id, promise, sum(due) AS due, sum(running) AS running, min(requirement) AS requirement,
            bool_or(wrong) AS wrong, max(begun) = max(started_at) AS on_time,
            min(requirement) = ANY(min(requirements)) AS right_rule
        FROM fact GROUP BY subject_id, promise),
    checked AS (SELECT coalesce(sum(due), 0)::bigint AS n FROM judged),
    violation AS (
        SELECT kind, format('%s of %s: %s instead of %s', promise, subject_id, running, due) AS detail
        FROM judged CROSS JOIN LATERAL (VALUES
            ('no_clock', running < due),
            ('clock_too_many', running > due),
            ('clock_of_another_rule', running = due AND right_rule IS NOT TRUE),
            ('clock_of_another_start', running = due AND on_time IS NOT TRUE),
            ('clock_of_another_length', wrong)) AS verdict(kind, holds)
        WHERE holds)
"""


async def check_clocks(db: Database) -> Report:
    """Each request and ticket has the clocks of R23 and R52 to R62, from its own instant, and no other."""
    return await judge(db, "clocks", _CLOCKS)


_EFFECTS: Final = """
    fact(what, cause, due, done) AS (
        SELECT 'message to the customer', id::text, 1, 0 FROM ({events}) AS event
        WHERE type IN ('dispatch.customer_message_requested.v1', 'feedback.customer_message_requested.v1')
        UNION ALL
        SELECT 'message to the customer', cause::text, 0, 1 FROM intake.message WHERE cause IS NOT NULL
        UNION ALL
        SELECT 'news', ticket.id || ' at ' || (body::jsonb ->> 'time'), 1, 0
        FROM intake.event_log JOIN dispatch.ticket ON request_id::text = subject
        WHERE type = 'intake.answer_given.v1'
        UNION ALL
        SELECT 'news', subject || ' at ' || (body::jsonb ->> 'time'), 1, 0 FROM dispatch.event_log
        WHERE type = 'dispatch.customer_message_requested.v1'
            AND body::jsonb #>> '{{data,template}}' = 'progress'
        UNION ALL
        SELECT 'news', subject || ' at ' || (body::jsonb ->> 'time'), 0, 1 FROM dispatch.event_log
        WHERE type = 'dispatch.customer_informed.v1'
        UNION ALL
        SELECT 'requisition', body::jsonb #>> '{{data,requisition_id}}', 1, 0 FROM dispatch.event_log
        WHERE type = 'dispatch.parts_requested.v1'
        UNION ALL
        SELECT 'requisition', id::text, 0, 1 FROM parts.requisition
        UNION ALL
        SELECT 'survey', subject || '/' || (body::jsonb #>> '{{data,episode}}'), 1, 0
        FROM dispatch.event_log WHERE type = 'dispatch.ticket_closed.v1'
        UNION ALL
        SELECT 'survey', ticket_id || '/' || episode, 0, 1 FROM feedback.survey
        UNION ALL
        SELECT 'clock told', id::text, 1, 0 FROM sla.clock
        UNION ALL
        SELECT 'clock told', subject, 0, 1 FROM sla.event_log WHERE type = 'sla.clock_started.v1'
        UNION ALL
        SELECT 'version told', id || '/' || version, 1, 0 FROM (
            SELECT DISTINCT service, type, subject, sequence FROM ({events}) AS event
        ) AS told(service, type, id, version)
        UNION ALL
        SELECT 'version told', subject || '/' || sequence, 0, 1 FROM ({events}) AS event),
    judged AS (
        SELECT what, cause, sum(due) AS due, sum(done) AS done FROM fact GROUP BY what, cause),
    checked AS (SELECT coalesce(sum(due), 0)::bigint AS n FROM judged),
    violation AS (
        SELECT replace(what, ' ', '_') || CASE WHEN done < due THEN '_missing' ELSE '_repeated' END AS kind,
            format('%s: %s instead of %s', cause, done, due) AS detail
        FROM judged WHERE done <> due)
"""


async def check_consequences(db: Database) -> Report:
    """One message per request for one, one requisition, one survey; each answer is news of its ticket once.

    And no version of anything is told twice.
    """
    events = " UNION ALL ".join(
        f"SELECT '{name}' AS service, id, type, subject, sequence FROM {name}.event_log" for name in NAMES
    )
    return await judge(db, "consequences", _EFFECTS.format(events=events))


_LETTERS: Final = """
    checked AS (SELECT count(*) AS n FROM ({inboxes}) AS inbox),
    violation AS (
        SELECT reason AS kind, format('%s: %s', service, error) AS detail FROM ({letters}) AS letter)
"""


async def check_letters(db: Database) -> Report:
    """No event ended as a dead letter."""
    inboxes = " UNION ALL ".join(f"SELECT event_id FROM {name}.inbox" for name in NAMES)
    letters = " UNION ALL ".join(
        f"SELECT '{name}' AS service, reason, error FROM {name}.dead_letter" for name in NAMES
    )
    return await judge(db, "dead letters", _LETTERS.format(inboxes=inboxes, letters=letters))

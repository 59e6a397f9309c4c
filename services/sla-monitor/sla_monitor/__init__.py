"""Promises: calendars, policies, clocks, alerts and the live board.

owns       histories of tickets, requests and calls; clocks with their deadlines and outcomes; alerts, what
           was done to them, and the sinks by which others are told; the versions of policies and calendars;
           histories of other systems, and replays of them and of our own
events in  intake: requests registered, reclassified, answered, merged, split, closed, reopened; calls rang …
           returned; histories imported
           dispatch: tickets opened, assigned, accepted, declined, regraded, visits agreed, arrivals,
           customers informed, resolved, rejected, closed; owners changed; groups formed, leadership
           informed and acknowledging
events out clock started, paused, resumed, met, warned, breached, amended, cancelled; alerts
           acknowledged, snoozed, assigned, escalated; tickets uncovered
loops      timers: judges what is due, sleeps until the next instant
           ladders: brings back what was snoozed, tells the next step of what nobody looks after
           sinks: a lane for each sink that has something to send
           moves: brings running subjects to another policy version, batch by batch
           replays: takes each what-if replay a bounded step further
path       /sla
"""

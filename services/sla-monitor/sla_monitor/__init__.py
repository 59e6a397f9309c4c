"""Promises: calendars, policies, clocks, alerts and the live board.

owns       histories of tickets, requests and calls; clocks with their deadlines and outcomes; alerts;
           the versions of policies and calendars
events in  intake: requests registered, reclassified, answered; calls rang … returned
           dispatch: tickets opened, assigned, accepted, declined, regraded, visits agreed, arrivals,
           resolved, rejected, closed; owners changed
events out clock started, paused, resumed, met, warned, breached, amended, cancelled; alert acknowledged
loops      timers: judges what is due, sleeps until the next instant
path       /sla
"""

"""Promises: calendars, policies, clocks, alerts and the live board.

owns       clocks with their deadlines and outcomes, policies, calendars, alerts
path       /sla
"""

"""Tickets, the organisation, assignment, visits and the engineers' app.

owns       tickets and who is accountable for each, teams, skills, rosters, visits
path       /dispatch
"""

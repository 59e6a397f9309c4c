"""Requests in, conversation out: the service desk.

owns       customers and their contact data, requests, conversations, triage, knowledge
path       /intake
"""

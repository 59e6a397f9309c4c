"""Spare parts: what there is, where it lies, who it is held for.

owns        the catalogue, the stock ledger and its balances, requisitions
events in   dispatch.parts_requested, ticket_closed, ticket_cancelled
events out  parts.parts_reserved, parts.parts_short, parts.parts_used, parts.parts_released
loops       holds: those that ran out are given back · waiting: what was short is held once it is there
"""

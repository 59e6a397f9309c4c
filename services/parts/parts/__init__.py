"""Spare parts: catalogue, stock, reservations, purchasing, returns, tools and charges.

owns       the stock ledger and everything that moves goods or money
path       /parts
"""

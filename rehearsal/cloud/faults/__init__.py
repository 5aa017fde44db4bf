"""Faults by rule: refusals, lost replies, failed operations, lost and doubled messages."""

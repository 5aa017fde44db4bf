"""Recommendations of several agents: conflicts, resolution, approvals and plans."""

"""Runs that survive: the one place that knows DBOS, and the tables beside it.

What a step does is its caller's; this package sees to it that a step that has ended is not done
again, and that one that was cut off is.
"""

"""Doing what was planned: creating, updating, replacing, deleting, reading."""

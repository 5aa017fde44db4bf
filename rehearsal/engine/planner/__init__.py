"""Deciding what is to happen to each resource, without doing it."""

"""Metadata servers: how a running service learns who it is."""

"""The architecture file as data: model, loading, checks, hydration, grants.

Pure: no cloud, no clock, no Pulumi.
"""

"""Google's APIs on loopback, one folder per Google service."""

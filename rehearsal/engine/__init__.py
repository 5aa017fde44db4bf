"""A small Pulumi engine in Python, driven by the unmodified Automation API."""

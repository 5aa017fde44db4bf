"""Pulumi ComponentResources of the system, one per file.

A component knows how one thing is declared on Google Cloud; which things there are is the
architecture's to say, and the stacks' to declare.
"""

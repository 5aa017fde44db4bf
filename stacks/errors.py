"""What can be wrong with a stack before anything of it is declared.

Pulumi shows a `RunError` as one message, without a traceback.
"""

from __future__ import annotations

import pulumi


class StackError(pulumi.RunError):
    """The stack cannot be declared; the message says what to change."""


class UpstreamError(StackError):
    """Another stack's output is missing, or unknown where it must be known."""

"""By which certificates calls know whom they talk to: read once, used by every call.

Whoever calls with functions of httpx instead of a client would read them anew each time, which
takes tens of milliseconds of processor time.
"""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted_certificates() -> ssl.SSLContext:
    """Give httpx's own choice of trusted authorities, for its `verify`."""
    return httpx.create_ssl_context()

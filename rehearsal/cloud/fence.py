"""What is refused whatever it asks: ways to the internet, and ways in from it.

A client that was not pointed at us must not reach the internet instead. And pages of the internet
reach loopback through a browser, under a name of theirs that resolves to it or by a plain form;
on a port that speaks for an account they would have its identity.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

_LOOPBACK: Final = re.compile(
    r"(127(\.\d{1,3}){3}|\[::1\]|([a-z0-9-]+\.)*localhost)(:\d{1,5})?", re.IGNORECASE
)
_NO_OTHER_SITES: Final = "The local cloud answers no other site's pages."


def refusal_of(request: web.BaseRequest) -> str | None:
    """Say why a request is refused whatever it asks; None where it may go on."""
    # A proxy's client sends the whole address.
    if request.method == "CONNECT" or "://" in request.raw_path.partition("?")[0]:
        return "The local cloud lets nothing out."
    host = request.headers.get("Host", "")
    if host and not _LOOPBACK.fullmatch(host):
        return f"The local cloud is not at {host}."
    origin = request.headers.get("Origin")
    if origin is not None and not _LOOPBACK.fullmatch(origin.partition("://")[2]):
        return _NO_OTHER_SITES
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return _NO_OTHER_SITES
    return None

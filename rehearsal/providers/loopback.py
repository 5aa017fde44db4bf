"""What counts as this machine: the only place that the providers ever talk to."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback_url(url: str) -> bool:
    """Tell whether a URL leads to this machine; one with a user in it is taken for a trick."""
    try:
        parts = urlsplit(url)
        # Reading the port refuses what is none.
        has_port = parts.port != 0
    except ValueError:
        return False
    is_plain = parts.scheme in ("http", "https") and "@" not in parts.netloc
    return is_plain and has_port and is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Tell whether a host, without its port, is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

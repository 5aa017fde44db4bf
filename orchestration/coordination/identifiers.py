"""Identifiers that follow from what they name, so that deciding again gives the same ones."""

from __future__ import annotations

import hashlib


def derived_id(origin: str, name: str) -> str:
    """Give the identifier of `name` within `origin`, in the shape of a UUID."""
    digest = hashlib.blake2b(f"{origin}\0{name}".encode(), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"

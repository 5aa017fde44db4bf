"""Uploads that carry metadata and content in one request (`multipart/related`)."""

from __future__ import annotations

import json
import re
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import invalid_argument

_BOUNDARY: Final = re.compile(r"boundary=[\"']?([^\"';]+)")
_PART_TYPE: Final = re.compile(rb"(?i)content-type: *([^\r\n]+)")
_PARTS: Final = 2


def read_multipart(content_type: str, content: bytes) -> tuple[JsonObject, bytes]:
    """Return the metadata and the content of a request; the content's type is in the metadata.

    Raises:
        ApiError: 400.
    """
    boundary = _BOUNDARY.search(content_type)
    # The delimiter includes the line break before it: the content keeps its own.
    delimiter = b"\r\n--" + (boundary[1].encode() if boundary else b"")
    parts = (b"\r\n" + content.lstrip()).split(delimiter)[1:-1]
    pieces = [part.split(b"\r\n\r\n", 1) for part in parts]
    if boundary is None or [len(piece) for piece in pieces] != [_PARTS, _PARTS]:
        raise invalid_argument("A multipart upload has two parts: metadata and content.")
    (_, metadata), (headers, body) = pieces
    kind = _PART_TYPE.search(headers)
    return ({"contentType": kind[1].decode()} if kind else {}) | read_json(metadata), body


def read_json(content: bytes) -> JsonObject:
    """Return an upload's metadata; none is an empty object.

    Raises:
        ApiError: 400.
    """
    try:
        given = json.loads(content) if content.strip() else {}
    except ValueError as error:
        raise invalid_argument(f"The metadata is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise invalid_argument("The metadata is no JSON object.")
    return given

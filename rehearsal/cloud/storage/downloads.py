"""Answers with an object's content: whole or a range of it, compressed or not."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.storage.contents import Contents
from rehearsal.cloud.storage.objects import Stored

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


async def answer_of(
    request: web.BaseRequest, found: Stored, contents: Contents
) -> web.StreamResponse:
    """Send an object's content as the request asks for it.

    Raises:
        ApiError: 304 where the caller has it already, 416 for a range beyond its end.
    """
    resource, size = found.resource, int(found.resource["size"])
    if request.headers.get("If-None-Match", "").strip('"') == resource["etag"]:
        raise ApiError(304, "FAILED_PRECONDITION", "Not Modified", reason="notModified")
    if request.headers.get("If-Match", resource["etag"]).strip('"') != resource["etag"]:
        raise ApiError(412, "FAILED_PRECONDITION", "Precondition Failed", reason="conditionNotMet")
    headers = _headers(resource)
    is_packed = resource.get("contentEncoding") == "gzip"
    if is_packed and "gzip" not in request.headers.get("Accept-Encoding", ""):
        # Cloud Storage unpacks for those who cannot; ranges do not count then.
        content = gzip.decompress(b"".join(contents.pieces(found.file)))
        headers |= {"Warning": "214 UploadServer gunzipped"}
        return web.Response(body=b"" if request.method == "HEAD" else content, headers=headers)
    if "contentEncoding" in resource:
        headers["Content-Encoding"] = resource["contentEncoding"]
    bounds = _bounds(request.headers.get("Range", ""), size)
    if bounds is None:
        return await _sent(request, 200, headers, size, contents.pieces(found.file))
    start, end = bounds
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return await _sent(request, 206, headers, end - start, contents.pieces(found.file, start, end))


async def _sent(
    request: web.BaseRequest, status: int, headers: dict[str, str], size: int, body: Iterable[bytes]
) -> web.StreamResponse:
    answer = web.StreamResponse(status=status, headers=headers)
    answer.content_length = size
    await answer.prepare(request)
    if request.method != "HEAD":
        for piece in body:
            await answer.write(piece)
    await answer.write_eof()
    return answer


def _bounds(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last; None for all, as for what is no one range."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size or (first and last and int(last) < start):
        raise ApiError(
            416,
            "OUT_OF_RANGE",
            f"The requested range cannot be satisfied: {header} of {size} byte(s).",
            reason="requestedRangeNotSatisfiable",
        )
    return start, end


def _headers(resource: JsonObject) -> dict[str, str]:
    sums = [f"crc32c={resource['crc32c']}"] if "crc32c" in resource else []
    sums += [f"md5={resource['md5Hash']}"] if "md5Hash" in resource else []
    optional = {
        "Cache-Control": resource.get("cacheControl"),
        "Content-Disposition": resource.get("contentDisposition"),
        "Content-Language": resource.get("contentLanguage"),
    }
    return {
        "Content-Type": resource["contentType"],
        "ETag": resource["etag"],
        "X-Goog-Generation": resource["generation"],
        "X-Goog-Metageneration": resource["metageneration"],
        "X-Goog-Hash": ",".join(sums),
        "X-Goog-Storage-Class": resource["storageClass"],
        "X-Goog-Stored-Content-Encoding": resource.get("contentEncoding", "identity"),
        "X-Goog-Stored-Content-Length": resource["size"],
        **{name: value for name, value in optional.items() if value},
    }

"""Several calls in one request, as Cloud Storage's clients bundle them."""

from __future__ import annotations

import json
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from rehearsal.cloud.errors import ApiError, failed_precondition, invalid_argument
from rehearsal.cloud.listening import whole_body
from rehearsal.cloud.pipeline import Request

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_MOST_CALLS: Final = 1000
_BOUNDARY: Final = "batch_of_the_local_cloud"


class Batches:
    """Answers batches for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    async def answer(self, request: web.BaseRequest, principal: str) -> web.StreamResponse:
        """Answer each call of a batch, in order; one that fails does not stop the others.

        Raises:
            ApiError: 400; the request is no batch.
        """
        kind = request.headers.get("Content-Type", "")
        header = f"Content-Type: {kind}\r\n\r\n".encode()
        batch = BytesParser().parsebytes(header + await whole_body(request))
        calls = batch.get_payload()
        if not isinstance(calls, list):
            raise invalid_argument("Failed to parse batch request, error: it is not multipart.")
        if len(calls) > _MOST_CALLS:
            raise invalid_argument(f"A batch has at most {_MOST_CALLS} calls.")
        base = f"http://{request.host}"
        parts = [
            await self._part(call, principal, base) for call in calls if isinstance(call, Message)
        ]
        text = "".join(f"--{_BOUNDARY}\r\n{part}\r\n" for part in parts) + f"--{_BOUNDARY}--\r\n"
        return web.Response(
            body=text.encode(), headers={"Content-Type": f"multipart/mixed; boundary={_BOUNDARY}"}
        )

    async def _part(self, call: Message, principal: str, base_url: str) -> str:
        try:
            answer = await self._cloud.pipeline.answer(_request(call, principal, base_url))
            status = 204 if answer is None else 200
        except ApiError as error:
            answer, status = error.to_json("storage"), error.code
        body = "" if answer is None else json.dumps(answer)
        lines = [
            "Content-Type: application/http",
            f"Content-ID: <response-{call.get('Content-ID', '').strip('<>')}>",
            "",
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase if status in _STATUSES else ''}",
            "Content-Type: application/json; charset=UTF-8",
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        return "\r\n".join(lines)


_STATUSES: Final = frozenset(HTTPStatus)


def _request(call: Message, principal: str, base_url: str) -> Request:
    """Read one call: a request line, headers and perhaps a JSON body."""
    content = call.get_payload(decode=True)
    text = content.decode() if isinstance(content, bytes) else ""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    words = head.partition("\n")[0].split()
    if len(words) < 2:  # noqa: PLR2004 - a method and an address
        raise invalid_argument(f"Failed to parse batch request, error: {head[:40]!r}")
    address = urlsplit(words[1])
    if "/upload/" in address.path or "/download/" in address.path or "alt=media" in address.query:
        raise failed_precondition("Uploads and downloads cannot be in a batch.")
    try:
        given = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise invalid_argument(f"Invalid JSON payload received. {error}") from error
    query = parse_qs(address.query, keep_blank_values=True)
    return Request(
        http_method=words[0],
        raw_path=address.path,
        query={name: ",".join(values) for name, values in query.items()},
        body=given,
        principal=principal,
        base_url=base_url,
    )

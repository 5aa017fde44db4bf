"""Read every request's body before the application sees it: bounded in size and in time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.api.problems import MEDIA_TYPE, Problem

LARGEST_BODY = 16 * 1024 * 1024
LONGEST_UPLOAD_S = 20.0


class BodyLimits:
    """Middleware that refuses bodies that are too large, and senders that dawdle."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        largest: int = LARGEST_BODY,
        longest_s: float = LONGEST_UPLOAD_S,
    ) -> None:
        self._app = app
        self._largest = largest
        self._longest_s = longest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._longest_s):
                body = await self._read(scope, receive)
        except TimeoutError:
            await _refuse(
                send, HTTPStatus.REQUEST_TIMEOUT, f"the body took over {self._longest_s:.0f} s"
            )
            return
        if body is None:
            await _refuse(
                send,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {self._largest} bytes",
            )
            return
        await self._app(scope, _replaying(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._largest:
            return None
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > self._largest:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


async def _refuse(send: Send, status: HTTPStatus, detail: str) -> None:
    problem = Problem(
        title=status.phrase,
        status=status,
        detail=detail,
        code="body-too-large" if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "body-too-slow",
        error=detail,
    )
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", MEDIA_TYPE.encode()),
                # What is still on its way must not be taken for the next request.
                (b"connection", b"close"),
            ],
        }
    )
    body = problem.model_dump_json(exclude_none=True).encode()
    await send({"type": "http.response.body", "body": body})

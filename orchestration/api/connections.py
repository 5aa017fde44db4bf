"""Connections on which the head of a request comes in bounded time and size.

Bodies are `bodies`' business; uvicorn bounds how long a connection may idle between requests, but
not how long a sender may take from the first byte of a request to the end of its headers.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestration.api.problems import MEDIA_TYPE, Problem

LARGEST_HEAD: Final = 64 * 1024


class BoundedHeads(HttpToolsProtocol):
    """A connection that is closed when the head of a request takes too long or grows too large."""

    longest_head_s: ClassVar[float] = 10.0

    _deadline: asyncio.TimerHandle | None = None
    _awaits_head = True
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; of a head that is not complete yet, only as much as is allowed."""
        if self._awaits_head:
            self._set_deadline()
        super().data_received(data)
        if self._awaits_head and self._deadline is not None:
            self._head_size += len(data)
            if self._head_size > LARGEST_HEAD:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "headers-too-large",
                    f"the headers are larger than {LARGEST_HEAD} bytes",
                )

    def on_message_begin(self) -> None:
        """Start the time of a head that follows another request in the same bytes."""
        self._set_deadline()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop the time: what comes now is a body."""
        self._awaits_head = False
        self._head_size = 0
        self._clear_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._awaits_head = True
        super().on_message_complete()

    def _set_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.longest_head_s, self._give_up)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_TIMEOUT,
            "headers-too-slow",
            f"the headers took over {self.longest_head_s:g} s",
        )

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        self._clear_deadline()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            problem = Problem(
                title=status.phrase, status=status, detail=detail, code=code, error=detail
            )
            body = problem.model_dump_json(exclude_none=True).encode()
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        # A reply that is still in work is sent to its end first.
        self.shutdown()

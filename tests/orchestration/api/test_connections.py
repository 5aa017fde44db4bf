"""Senders that dawdle over the head of a request, or never end it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from orchestration.api.connections import LARGEST_HEAD, BoundedHeads

HEALTH = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.fixture
def plain(client: httpx.Client) -> Iterator[socket.socket]:
    """A connection to the served API without a client's good manners."""
    port = client.base_url.port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as connection:
        yield connection


def answered(connection: socket.socket) -> bytes:
    """Read all that comes until the server closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET /hea", HEALTH, HEALTH + b"x-slow: "])
def test_head_that_does_not_come_to_its_end_ends_the_connection(
    sent: bytes, plain: socket.socket, monkeypatch: pytest.MonkeyPatch, client: httpx.Client
) -> None:
    """Whatever part of a head was sent: the rest is waited for only so long."""
    monkeypatch.setattr(BoundedHeads, "longest_head_s", 0.05)
    with socket.create_connection(plain.getpeername(), timeout=20) as late:
        late.sendall(sent)
        answer = answered(late)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'"headers-too-slow"' in answer
    assert client.get("/health").status_code == httpx.codes.OK


def test_head_that_dawdles_after_a_good_request_ends_the_connection(
    plain: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first good request buys no time for the second one."""
    monkeypatch.setattr(BoundedHeads, "longest_head_s", 0.05)
    plain.sendall(HEALTH + b"\r\n" + HEALTH)
    answer = answered(plain)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") in (1, 2)


def test_head_without_end_is_refused(plain: socket.socket) -> None:
    """A sender that never stops is stopped once its headers are larger than any honest ones."""
    plain.sendall(HEALTH + b"x-large: " + b"a" * LARGEST_HEAD)
    answer = answered(plain)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"headers-too-large"' in answer


def test_slow_body_is_no_slow_head(plain: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the headers are there, their time has no say any more."""
    monkeypatch.setattr(BoundedHeads, "longest_head_s", 0.05)
    plain.sendall(
        b"POST /coordination/coordinate HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{"
    )
    plain.settimeout(0.2)
    with pytest.raises(TimeoutError):
        plain.recv(1)
    plain.settimeout(20)
    plain.sendall(b"}")
    assert answered(plain).startswith(b"HTTP/1.1 400 ")


def test_key_means_nothing_where_nothing_is_done(client: httpx.Client) -> None:
    """A read with a malformed idempotency key is a read: the key is no part of that route."""
    answer = client.get("/coordination/plans?customer_id=c", headers={"idempotency-key": "a b"})
    assert answer.status_code == httpx.codes.OK
    refused = client.post(
        "/coordination/coordinate",
        json={"customer_id": "c", "recommendations": []},
        headers={"idempotency-key": "a b"},
    )
    assert refused.status_code == httpx.codes.BAD_REQUEST

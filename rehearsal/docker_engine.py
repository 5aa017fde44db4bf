"""The Docker Engine API over its unix socket: calls, progress streams, and errors in one line.

What is built, pushed and run is its callers' matter. No `docker` command is needed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp

HOST_VARIABLE: Final = "DOCKER_HOST"
DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
# Nothing resolves this name: the connection is the socket.
_BASE_URL: Final = "http://docker"
_CONNECT_S: Final = 5.0
# A step of a build may print long lines, and each comes as one JSON line.
_LINE_BYTES: Final = 4 * 1024 * 1024
_FIRST_ERROR: Final = 400


class DockerError(Exception):
    """The daemon refused, failed or does not answer; the message is one line."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(" ".join(message.split()))
        self.status = status


def socket_path(host: str) -> str:
    """Return the socket of a host such as `unix:///var/run/docker.sock`.

    Raises:
        DockerError: the host is not a unix socket.
    """
    parts = urlsplit(host)
    if parts.scheme != "unix" or not parts.path.startswith("/"):
        raise DockerError(f"the docker host {host!r} is no unix socket (unix:///PATH)")
    return parts.path


def registry_auth(username: str, password: str, server: str) -> dict[str, str]:
    """Return the header by which the daemon logs in at a registry."""
    login = {"username": username, "password": password, "serveraddress": server}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(login).encode()).decode()}


class DockerEngine:
    """A connection to one daemon; an asynchronous context manager."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.socket = socket_path(host)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A build or a `wait` may take as long as it likes; connecting may not.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self.socket),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            read_bufsize=_LINE_BYTES,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        is_absence_fine: bool = False,
    ) -> Any:
        """Send one request and return the answer's JSON, None without any.

        Raises:
            DockerError: it failed.
        """
        try:
            async with self._opened().request(
                method, _BASE_URL + path, params=query, json=body
            ) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from error
        if answer.status >= _FIRST_ERROR:
            if is_absence_fine and answer.status == 404:  # noqa: PLR2004 - HTTP's "not found".
                return None
            raise DockerError(_message(text), status=answer.status)
        return json.loads(text) if text.strip() else None

    async def progress(
        self,
        path: str,
        *,
        query: Mapping[str, str],
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Start a build, push or pull and yield what it reports, line by line.

        A failure within the work is a line with `error`, which is the caller's to read.

        Raises:
            DockerError: the daemon refused to start it.
        """
        try:
            async with self._opened().post(
                _BASE_URL + path, params=query, data=data, headers=headers
            ) as answer:
                if answer.status >= _FIRST_ERROR:
                    raise DockerError(_message(await answer.text()), status=answer.status)
                async for line in answer.content:
                    if line.strip():
                        yield json.loads(line)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from error

    async def output(self, container: str) -> AsyncIterator[bytes]:
        """Yield what a container writes, from its start to its end.

        Raises:
            DockerError: the daemon cannot tell.
        """
        query = {"follow": "1", "stdout": "1", "stderr": "1"}
        try:
            async with self._opened().get(
                f"{_BASE_URL}/containers/{container}/logs", params=query
            ) as answer:
                if answer.status >= _FIRST_ERROR:
                    raise DockerError(_message(await answer.text()), status=answer.status)
                while True:
                    # Each piece has a header: which stream, three zeros, its size.
                    header = await answer.content.readexactly(8)
                    yield await answer.content.readexactly(int.from_bytes(header[4:]))
        except EOFError:
            return
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _opened(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    def _unreachable(self, error: Exception) -> DockerError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return DockerError(f"no docker daemon answers at {self.host}: {reason}")


def _message(text: str) -> str:
    """Return the words of an error answer."""
    try:
        body = json.loads(text)
    except ValueError:
        return text
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else text

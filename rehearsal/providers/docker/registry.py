"""Pushing images over the OCI distribution API, to a registry on this machine only."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import aiohttp

from rehearsal.engine.provider import ProviderError
from rehearsal.providers.docker.oci import MANIFEST_TYPE, Blob, Image
from rehearsal.providers.loopback import is_loopback_url

_REFERENCE: Final = re.compile(
    r"^(?P<host>[^/]+)/(?P<path>[a-z0-9][a-z0-9._/-]*?)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
_ATTEMPTS: Final = 6
_FIRST_DELAY_S: Final = 0.05
_TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})
_ABSENT: Final = 404


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image, taken apart."""

    host: str
    path: str
    tag: str = "latest"
    digest: str = ""

    @property
    def repository(self) -> str:
        """The name without tag and digest."""
        return f"{self.host}/{self.path}"


def parse_reference(name: str) -> Reference:
    """Take the name of an image apart.

    Raises:
        ProviderError: it is not one, or names no registry.
    """
    match = _REFERENCE.match(name)
    if match is None or not re.search(r"[.:]|^localhost$", match["host"]):
        raise ProviderError(
            f"{name!r} is not an image name of the form REGISTRY/PATH[:TAG]; paths are lowercase"
        )
    return Reference(match["host"], match["path"], match["tag"] or "latest", match["digest"] or "")


def is_local(host: str) -> bool:
    """Tell whether a registry is on this machine."""
    return is_loopback_url(f"http://{host}/")


def _basic_auth(username: str, password: str) -> str:
    """Return the header value of basic authentication."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class Registry:
    """One registry on this machine."""

    def __init__(self, host: str, username: str = "", password: str = "") -> None:
        if not is_local(host):
            raise ProviderError(
                f"the registry {host!r} is not on this machine: the embedded engine pushes to "
                "the local cloud only; use a real pulumi for other registries"
            )
        self._base_url = f"http://{host}/v2/"
        self.username = username
        self.password = password
        self._headers = {"Authorization": _basic_auth(username, password)} if password else {}

    async def push(self, reference: Reference, image: Image) -> None:
        """Push an image under its tag, without the blobs that are there already.

        Raises:
            ProviderError: the registry refused, or could not be reached.
        """
        async with aiohttp.ClientSession(headers=self._headers) as session:
            await asyncio.gather(
                *(self._push_blob(session, reference.path, blob) for blob in image.blobs)
            )
            await self._send(
                session,
                "PUT",
                f"{self._base_url}{reference.path}/manifests/{reference.tag}",
                data=image.manifest.content,
                headers={"Content-Type": MANIFEST_TYPE},
            )

    async def has(self, reference: Reference, digest: str) -> bool:
        """Tell whether the registry still has an image."""
        async with aiohttp.ClientSession(headers=self._headers) as session:
            status, _ = await self._send(
                session,
                "HEAD",
                f"{self._base_url}{reference.path}/manifests/{digest}",
                headers={"Accept": MANIFEST_TYPE},
                is_absence_fine=True,
            )
        return status != _ABSENT

    async def _push_blob(self, session: aiohttp.ClientSession, path: str, blob: Blob) -> None:
        url = f"{self._base_url}{path}/blobs/{blob.digest}"
        status, _ = await self._send(session, "HEAD", url, is_absence_fine=True)
        if status != _ABSENT:
            return
        uploads = f"{self._base_url}{path}/blobs/uploads/"
        _, location = await self._send(session, "POST", uploads)
        upload = urljoin(uploads, location)
        if not is_loopback_url(upload):
            raise ProviderError(f"the registry sends the image to {upload}, not to this machine")
        await self._send(
            session,
            "PUT",
            upload,
            params={"digest": blob.digest},
            data=blob.content,
            headers={"Content-Type": "application/octet-stream"},
        )

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        *,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        is_absence_fine: bool = False,
    ) -> tuple[int, str]:
        """Send one request, again after passing failures; return status and location."""
        delay_s = _FIRST_DELAY_S
        for attempt in range(_ATTEMPTS):
            is_last = attempt == _ATTEMPTS - 1
            try:
                async with session.request(
                    method,
                    url,
                    data=data,
                    params=params,
                    headers=headers,
                    # A redirect could lead away from this machine, with the credentials.
                    allow_redirects=False,
                ) as response:
                    problem = (await response.text())[:300]
                    status = response.status
                    location = response.headers.get("Location", "")
            except aiohttp.ClientError as error:
                if is_last:
                    raise ProviderError(f"the registry did not answer: {error}") from error
            else:
                if status < 300 or (status == _ABSENT and is_absence_fine):  # noqa: PLR2004 - redirects and errors start here.
                    return status, location
                if status not in _TRANSIENT or is_last:
                    raise ProviderError(
                        f"the registry refused {method} {url}: {status} {problem}".rstrip()
                    )
            await asyncio.sleep(delay_s)
            delay_s *= 2
        raise AssertionError("the last attempt returns or raises")

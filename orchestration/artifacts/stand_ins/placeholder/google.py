"""Google's APIs over REST, as the service's own account."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

TIMEOUT_S = 30.0
# A token is asked for anew long before its hour is over.
TOKEN_LIFE_S = 600.0
ACCOUNT = "instance/service-accounts/default"
# Where each API is, and where the local cloud has it.
ROOTS = {
    "bigquery": ("https://bigquery.googleapis.com/bigquery/v2", "bigquery/bigquery/v2"),
    "firestore": ("https://firestore.googleapis.com/v1", "firestore/v1"),
    "pubsub": ("https://pubsub.googleapis.com/v1", "pubsub/v1"),
    "secretmanager": ("https://secretmanager.googleapis.com/v1", "secretmanager/v1"),
    "storage": ("https://storage.googleapis.com", "storage"),
}


class RefusedError(RuntimeError):
    """A call was answered, but not with success; the message starts with the status code."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"{code} {said}")
        self.code = code


class Google:
    """Calls Google's APIs, and services on Cloud Run."""

    def __init__(self, project: str) -> None:
        self.project = project
        self._local = os.environ.get("LOCALCLOUD_ENDPOINT", "")
        self._token = ""
        self._token_until = 0.0
        self._lock = threading.Lock()

    def call(self, method: str, api: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Call a method and return its JSON.

        Raises:
            RefusedError: it was not successful.
            OSError: there was no answer.
        """
        google, local = ROOTS[api]
        root = f"{self._local}/{local}" if self._local else google
        headers = {"Authorization": f"Bearer {self._access_token()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{root}/{path}"
        return _json(_sent(urllib.request.Request(url, body, headers, method=method)))  # noqa: S310 - an address of ours

    def invoke(self, service: str, location: str, path: str) -> None:
        """Call a service on Cloud Run as who we are, by GET.

        Raises:
            RefusedError: it was not successful.
            OSError: there was no answer.
        """
        url = self._url(service, location)
        token = self._metadata(f"{ACCOUNT}/identity?audience={quote(url, safe='')}").decode()
        headers = {"Authorization": f"Bearer {token}"}
        _sent(urllib.request.Request(f"{url}{path}", headers=headers))  # noqa: S310 - an address of ours

    def _url(self, service: str, location: str) -> str:
        """Find where a service is: every service on Cloud Run has an address made of its name."""
        if not self._local:
            number = self._metadata("project/numeric-project-id").decode()
            return f"https://{service}-{number}.{location}.run.app"
        told = _json(_sent(urllib.request.Request(f"{self._local}/_local/addresses")))  # noqa: S310 - as above
        name = f"projects/{self.project}/locations/{location}/services/{service}"
        return str(told["addresses"][name])

    def _access_token(self) -> str:
        with self._lock:
            if time.monotonic() > self._token_until:
                self._token = str(_json(self._metadata(f"{ACCOUNT}/token"))["access_token"])
                self._token_until = time.monotonic() + TOKEN_LIFE_S
            return self._token

    def _metadata(self, path: str) -> bytes:
        host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
        url = f"http://{host}/computeMetadata/v1/{path}"
        return _sent(urllib.request.Request(url, headers={"Metadata-Flavor": "Google"}))


def _sent(request: urllib.request.Request) -> bytes:
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - an address of ours
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise RefusedError(error.code, error.read()[:300].decode(errors="replace")) from error
    return content


def _json(content: bytes) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(content or b"{}")
    return parsed

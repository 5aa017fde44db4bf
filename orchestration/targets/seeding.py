"""Putting secrets into a target's Secret Manager.

A value goes from the caller's hands into one request; it is in no log, no state and no error.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from http import HTTPStatus

import httpx

from orchestration.errors import CloudUnreachable, UsageError
from orchestration.google_errors import message_of
from orchestration.targets.target import Target

SECRET_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
# The most that Secret Manager keeps in one version.
LARGEST_BYTES = 64 * 1024
API = "secretmanager.googleapis.com"
TIMEOUT_S = 30.0


def check_secret(name: str, value: bytes) -> None:
    """Refuse what Secret Manager would refuse.

    Raises:
        UsageError: the name or the value's size cannot be.
    """
    if not SECRET_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a secret", hint="use letters, digits, - and _, at most 255"
        )
    if not value:
        raise UsageError(f"the value of secret {name} is empty")
    if len(value) > LARGEST_BYTES:
        raise UsageError(
            f"the value of secret {name} has {len(value)} bytes; {LARGEST_BYTES} are possible"
        )


def seed_secret(target: Target, name: str, value: bytes) -> str:
    """Add a version with this value to a secret, which is made if need be; give its number.

    Raises:
        CloudUnreachable: the target does not answer, or refuses.
    """
    base = target.endpoints()["secretmanager"]
    secret = f"{base}/projects/{target.project_id}/secrets/{name}"
    if _call(target, "GET", secret).status_code != HTTPStatus.OK:
        enabled = f"projects/{target.project_id}/services/{API}:enable"
        _require(_call(target, "POST", f"{target.endpoints()['serviceusage']}/{enabled}", {}))
        created = _call(
            target,
            "POST",
            f"{base}/projects/{target.project_id}/secrets?secretId={name}",
            {"replication": {"automatic": {}}},
        )
        # Somebody else may have made it just now.
        if created.status_code != HTTPStatus.CONFLICT:
            _require(created)
    payload = {"payload": {"data": base64.b64encode(value).decode()}}
    added = _require(_call(target, "POST", f"{secret}:addVersion", payload))
    return str(added.json()["name"]).rpartition("/")[2]


def _call(
    target: Target, method: str, url: str, body: Mapping[str, object] | None = None
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {target.access_token()}"}
    try:
        return httpx.request(method, url, json=body, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise CloudUnreachable(f"{url} does not answer: {error}") from error


def _require(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    raise CloudUnreachable(f"{answer.url} answers {answer.status_code}: {message_of(answer)}")

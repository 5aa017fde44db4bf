"""Secrets and their versions, by full name with the project's id."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.crc32c import crc32c
from rehearsal.cloud.errors import (
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
)
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_SECRETS: Final = "secretmanager.secrets"
_VERSIONS: Final = "secretmanager.versions"
_LATEST: Final = "latest"
_LARGEST_PAYLOAD: Final = 65536


class Secrets:
    """All secrets of the project.

    Bodies name the project by its number, as Google's do; callers may use either name.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def create(self, name: str, body: JsonObject) -> JsonObject:
        """Create a secret without versions."""
        if not body.get("replication"):
            raise invalid_argument("Secret.replication is required.")
        if self._store.get(_SECRETS, name) is not None:
            raise already_exists(f"Secret [{self._numbered(name)}] already exists.")
        secret = body | {
            "name": self._numbered(name),
            "createTime": rfc3339(self._cloud.clock()),
        }
        return self._put(name, secret)

    def get(self, name: str) -> JsonObject:
        """Return a secret.

        Raises:
            ApiError: 404.
        """
        secret = self._store.get(_SECRETS, name)
        if secret is None:
            raise not_found(f"Secret [{self._numbered(name)}] not found.")
        return secret

    def replace(self, name: str, secret: JsonObject, etag: str) -> JsonObject:
        """Replace a secret, if the etag is that of before (an empty one fits).

        Raises:
            ApiError: 400; somebody else changed it.
        """
        _check_etag(self.get(name), etag)
        return self._put(name, secret)

    def _put(self, name: str, secret: JsonObject) -> JsonObject:
        secret["etag"] = _new_etag()
        self._store.put(_SECRETS, name, secret)
        return secret

    def all(self) -> list[JsonObject]:
        """All secrets, by name."""
        return [secret for _, secret in self._store.items(_SECRETS)]

    def delete(self, name: str, etag: str = "") -> None:
        """Remove a secret with its versions and its policy."""
        _check_etag(self.get(name), etag)
        versions = [version for version, _ in self._store.items(_VERSIONS, f"{name}/versions/")]
        self._store.delete_many(_VERSIONS, versions)
        self._store.delete(_SECRETS, name)
        self._cloud.iam.forget(name)

    def add_version(self, name: str, payload: JsonObject) -> JsonObject:
        """Add a version with base64 data and return it without them."""
        self.get(name)
        checked = _checked_payload(payload)
        number = 1 + max((int(version) for version in self._numbers(name)), default=0)
        version_name = f"{name}/versions/{number}"
        version: JsonObject = {
            "name": self._numbered(version_name),
            "createTime": rfc3339(self._cloud.clock()),
            "state": "ENABLED",
            "replicationStatus": {"automatic": {}},
            "etag": _new_etag(),
        }
        if "dataCrc32c" in payload:
            version["clientSpecifiedPayloadChecksum"] = True
        self._store.put(_VERSIONS, version_name, version | {"payload": checked})
        return version

    def version(self, name: str) -> JsonObject:
        """Return a version, without its data; `latest` is the newest one.

        Raises:
            ApiError: 404.
        """
        version = self._version(name)
        del version["payload"]
        return version

    def versions(self, name: str) -> list[JsonObject]:
        """All versions of a secret, newest first."""
        self.get(name)
        numbers = sorted(self._numbers(name), key=int, reverse=True)
        return [self.version(f"{name}/versions/{number}") for number in numbers]

    def set_state(self, name: str, state: str, etag: str = "") -> JsonObject:
        """Enable, disable or destroy a version; what is destroyed stays so, without data."""
        version = self._version(name)
        _check_etag(version, etag)
        if version["state"] == "DESTROYED" and state != "DESTROYED":
            raise failed_precondition(f"Secret Version [{version['name']}] is in DESTROYED state.")
        version |= {"state": state, "etag": _new_etag()}
        if state == "DESTROYED":
            version["payload"] = {}
            version["destroyTime"] = rfc3339(self._cloud.clock())
        self._store.put(_VERSIONS, self._cloud.canonical(version["name"]), version)
        return self.version(name)

    def access(self, name: str) -> JsonObject:
        """Return an enabled version's name and payload.

        Raises:
            ApiError: 404; 400 when it is not enabled.
        """
        version = self._version(name)
        if version["state"] != "ENABLED":
            state = version["state"]
            raise failed_precondition(f"Secret Version [{version['name']}] is in {state} state.")
        return {"name": version["name"], "payload": version["payload"]}

    def _version(self, name: str) -> JsonObject:
        secret, _, number = name.rpartition("/versions/")
        if number == _LATEST:
            number = max(self._numbers(secret), key=int, default=_LATEST)
        version = self._store.get(_VERSIONS, f"{secret}/versions/{number}")
        if version is None:
            numbered = self._numbered(name)
            raise not_found(f"Secret [{numbered}] not found or has no versions.")
        return version

    def _numbers(self, secret: str) -> list[str]:
        items = self._store.items(_VERSIONS, f"{secret}/versions/")
        return [name.rpartition("/")[2] for name, _ in items]

    def _numbered(self, name: str) -> str:
        prefix = f"{self._cloud.project}/"
        return f"projects/{self._cloud.project_number}/{name.removeprefix(prefix)}"


def _checked_payload(payload: JsonObject) -> JsonObject:
    """Return the payload with its checksum, which the sender may have given as well.

    Raises:
        ApiError: 400; not base64, too large, or damaged on its way.
    """
    data = payload.get("data") or ""
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise invalid_argument(f"Invalid value at 'payload.data': {error}") from error
    if len(content) > _LARGEST_PAYLOAD:
        raise invalid_argument(f"Secret payload exceeds the {_LARGEST_PAYLOAD} bytes limit.")
    checksum = str(crc32c(content))
    if payload.get("dataCrc32c", checksum) != checksum:
        raise invalid_argument(
            "The checksum in SecretPayload.data_crc32c did not match the data in"
            " SecretPayload.data: the data was corrupted."
        )
    return {"data": data, "dataCrc32c": checksum}


def _new_etag() -> str:
    # Google's etags of this API carry their quotes.
    return f'"{secrets.token_hex(7)}"'


def _check_etag(current: JsonObject, etag: str) -> None:
    if etag and etag != current["etag"]:
        raise failed_precondition(
            "The etag provided in the request does not match the resource's current etag. Please"
            " retry the whole read-modify-write with exponential backoff."
        )

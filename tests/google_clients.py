"""Google's own Python clients, pointed at a local cloud as anybody's would be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import google_auth_httplib2
import grpc
import httplib2
import pytest
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    GoogleAPICallError,
    NotFound,
    Unauthorized,
)
from google.cloud import storage
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

PROJECT = "projects/local-proj"
LOCATION = f"{PROJECT}/locations/europe-west1"
STRANGER = "user:stranger@local.test"
READER = "user:reader@local.test"
# Where our path prefix is not the API's name.
PREFIXES = {"cloudresourcemanager": "resourcemanager"}
# Over REST a client knows the class of an error by its HTTP code; gRPC's subclasses fit as well.
ERRORS: dict[str, type[GoogleAPICallError]] = {
    "ABORTED": Conflict,
    "ALREADY_EXISTS": Conflict,
    "FAILED_PRECONDITION": BadRequest,
    "INVALID_ARGUMENT": BadRequest,
    "NOT_FOUND": NotFound,
    "PERMISSION_DENIED": Forbidden,
    "UNAUTHENTICATED": Unauthorized,
}
Client = TypeVar("Client")


class Clients:
    """Clients of one local cloud; all are closed with it.

    Args:
        running: The cloud as `tests/rehearsal/cloud/conftest.py` serves it.
        closing: What closes them.
    """

    def __init__(self, running: Any, closing: ExitStack) -> None:
        self.running = running
        self._closing = closing

    def credentials(self, principal: str = "") -> Credentials:
        """A principal's access token, the deployer's where none is named."""
        cloud = self.running.cloud
        return Credentials(token=cloud.tokens.access_token(principal or cloud.deployer))

    def rest(self, client: Callable[..., Client], prefix: str, principal: str = "") -> Client:
        """A service's own client, over REST: gRPC ones choke on `http://`."""
        made: Any = client(
            credentials=self.credentials(principal),
            transport="rest",
            client_options={"api_endpoint": f"{self.running.base_url}/{prefix}"},
        )
        self._closing.callback(made.transport.close)
        return made

    def document(self, name: str, version: str, principal: str = "") -> Any:
        """`google-api-python-client`'s client, made of Google's own discovery document."""
        http = google_auth_httplib2.AuthorizedHttp(
            self.credentials(principal), httplib2.Http(proxy_info=None)
        )
        base = f"{self.running.base_url}/{PREFIXES.get(name, name)}"
        if name == "bigquery":
            # Its document has the version in the base, not in the methods' paths.
            base += f"/bigquery/{version}"
        made = build(name, version, http=http, client_options={"api_endpoint": f"{base}/"})
        self._closing.callback(made.close)
        return made

    def storage(self, principal: str = "") -> storage.Client:
        """`google-cloud-storage`."""
        endpoint = {"api_endpoint": f"{self.running.base_url}/storage"}
        credentials = self.credentials(principal)
        made = storage.Client("local-proj", credentials=credentials, client_options=endpoint)
        self._closing.callback(made.close)
        return made

    def channel(self) -> grpc.Channel:
        """What Pub/Sub's clients speak over; the deployer's port knows who calls."""
        made = grpc.insecure_channel(f"127.0.0.1:{self.running.cloud.pubsub_port}")
        self._closing.callback(made.close)
        return made


@contextmanager
def refused(status: str, match: str = "") -> Iterator[None]:
    """Expect a call to be refused with a canonical status, raised as its client does."""
    with pytest.raises((ERRORS[status], HttpError), match=match or None) as caught:
        yield
    error: Any = caught.value
    if isinstance(error, HttpError):
        assert json.loads(error.content)["error"]["status"] == status
    elif isinstance(error.response, grpc.Call):
        assert error.grpc_status_code.name == status
    else:
        assert error.response.json()["error"]["status"] == status


def walk_policy(client: Any, resource: str, permission: str) -> None:
    """Grant a role with the etag read, see it, take it away; an older etag is refused."""
    policy = client.get_iam_policy(request={"resource": resource})
    policy.bindings.add(role="roles/viewer", members=[READER])
    granted = client.set_iam_policy(request={"resource": resource, "policy": policy})
    assert granted.etag != policy.etag
    assert client.get_iam_policy(request={"resource": resource}) == granted
    assert [list(b.members) for b in granted.bindings if b.role == "roles/viewer"] == [[READER]]
    with refused("ABORTED", "concurrent policy changes"):
        client.set_iam_policy(request={"resource": resource, "policy": policy})
    del granted.bindings[-1]
    emptied = client.set_iam_policy(request={"resource": resource, "policy": granted})
    assert not [b for b in emptied.bindings if b.role == "roles/viewer"]
    asked = {"resource": resource, "permissions": [permission]}
    assert list(client.test_iam_permissions(request=asked).permissions) == [permission]

"""`google-cloud-secret-manager`: secrets, their versions, and who wrote last."""

from __future__ import annotations

import google_crc32c
import pytest
from google.cloud.secretmanager_v1 import SecretManagerServiceClient, SecretVersion
from google_clients import PROJECT, Clients, refused, walk_policy

NAME = f"{PROJECT}/secrets/key"
AUTOMATIC = {"replication": {"automatic": {}}}


@pytest.fixture(name="manager")
def manager_fixture(clients: Clients) -> SecretManagerServiceClient:
    """The client, with one secret."""
    manager = clients.rest(SecretManagerServiceClient, "secretmanager")
    manager.create_secret(parent=PROJECT, secret_id="key", secret=AUTOMATIC)
    return manager


def test_a_secret_lives(manager: SecretManagerServiceClient) -> None:
    """Read, changed by mask, found by filter, granted, and created anew after its deletion."""
    secret = manager.get_secret(name=NAME)
    assert secret.name == "projects/123456789012/secrets/key"
    labelled = {"name": NAME, "labels": {"team": "x"}, "annotations": {"lost": "yes"}}
    changed = manager.update_secret(secret=labelled, update_mask={"paths": ["labels"]})
    assert (dict(changed.labels), dict(changed.annotations)) == ({"team": "x"}, {})
    assert changed.create_time == secret.create_time
    manager.create_secret(parent=PROJECT, secret_id="other", secret=AUTOMATIC)
    for found in ("name:ke", "labels.team=x", "labels.team:x AND name:key"):
        assert list(manager.list_secrets({"parent": PROJECT, "filter": found})) == [changed]
    with refused("FAILED_PRECONDITION", "the filter"):
        manager.list_secrets({"parent": PROJECT, "filter": "create_time>2021-01-01"})
    walk_policy(manager, NAME, "secretmanager.secrets.get")
    manager.add_secret_version(parent=NAME, payload={"data": b"old"})
    manager.delete_secret(name=NAME)
    manager.create_secret(parent=PROJECT, secret_id="key", secret=AUTOMATIC)
    assert not list(manager.list_secret_versions(parent=NAME))


def test_versions_live(manager: SecretManagerServiceClient) -> None:
    """Added, listed newest first in pages, disabled, enabled and destroyed for good."""
    for data in (b"one", b"two", b"three"):
        version = manager.add_secret_version(parent=NAME, payload={"data": data})
    assert version.name == "projects/123456789012/secrets/key/versions/3"
    assert manager.access_secret_version(name=f"{NAME}/versions/latest").payload.data == b"three"
    pages = list(manager.list_secret_versions({"parent": NAME, "page_size": 2}).pages)
    listed = [[v.name.rpartition("/")[2] for v in page.versions] for page in pages]
    assert listed == [["3", "2"], ["1"]]
    first = f"{NAME}/versions/1"
    assert manager.disable_secret_version(name=first).state is SecretVersion.State.DISABLED
    with refused("FAILED_PRECONDITION", "DISABLED state"):
        manager.access_secret_version(name=first)
    enabled = manager.list_secret_versions({"parent": NAME, "filter": "state:ENABLED"})
    assert [v.name.rpartition("/")[2] for v in enabled] == ["3", "2"]
    assert manager.enable_secret_version(name=first).state is SecretVersion.State.ENABLED
    assert manager.destroy_secret_version(name=first).destroy_time is not None
    with refused("FAILED_PRECONDITION", "DESTROYED state"):
        manager.enable_secret_version(name=first)
    with refused("NOT_FOUND"):
        manager.get_secret_version(name=f"{NAME}/versions/4")


def test_payloads_come_with_their_checksums(manager: SecretManagerServiceClient) -> None:
    """What Google's samples compare is there; a damaged or too large payload is refused."""
    data = b"no\x00text"
    checksum = int.from_bytes(google_crc32c.Checksum(data).digest(), "big")
    payload = {"data": data, "data_crc32c": checksum}
    version = manager.add_secret_version(parent=NAME, payload=payload)
    assert version.client_specified_payload_checksum
    accessed = manager.access_secret_version(name=version.name)
    assert (accessed.payload.data, accessed.payload.data_crc32c) == (data, checksum)
    with refused("INVALID_ARGUMENT", "checksum"):
        manager.add_secret_version(parent=NAME, payload=payload | {"data": b"damaged"})
    with refused("INVALID_ARGUMENT"):
        manager.add_secret_version(parent=NAME, payload={"data": bytes(65537)})


def test_an_older_etag_changes_nothing(manager: SecretManagerServiceClient) -> None:
    """Secrets and versions carry etags; Google refuses an older one as a failed precondition."""
    before = manager.get_secret(name=NAME)
    mask = {"paths": ["labels"]}
    changed = manager.update_secret(
        secret={"name": NAME, "labels": {"a": "b"}, "etag": before.etag}, update_mask=mask
    )
    with refused("FAILED_PRECONDITION", "etag"):
        manager.update_secret(secret={"name": NAME, "etag": before.etag}, update_mask=mask)
    with refused("FAILED_PRECONDITION", "etag"):
        manager.delete_secret(request={"name": NAME, "etag": before.etag})
    version = manager.add_secret_version(parent=NAME, payload={"data": b"x"})
    disabled = manager.disable_secret_version({"name": version.name, "etag": version.etag})
    with refused("FAILED_PRECONDITION", "etag"):
        manager.destroy_secret_version({"name": version.name, "etag": version.etag})
    manager.destroy_secret_version({"name": version.name, "etag": disabled.etag})
    assert manager.get_secret(name=NAME) == changed
    manager.delete_secret(request={"name": NAME, "etag": changed.etag})

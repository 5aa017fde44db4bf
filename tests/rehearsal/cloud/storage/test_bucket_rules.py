"""What Cloud Storage refuses of a bucket."""

from __future__ import annotations

from typing import Any

import pytest

BUCKETS = "/storage/storage/v1/b"
BUCKET: dict[str, Any] = {"name": "local-proj-data", "location": "eur4"}


@pytest.fixture(name="storage")
def storage_client(local_cloud: Any) -> Any:
    """A client of a cloud with Cloud Storage."""
    local_cloud.enable("storage")
    return local_cloud.deployer


def make(storage: Any, expect: Any, code: int = 200, **settings: Any) -> Any:
    """Create a bucket."""
    params = {"project": "local-proj"}
    return expect(storage.post(BUCKETS, params=params, json=BUCKET | settings), code)


@pytest.mark.parametrize(
    "settings",
    [
        {"storageClass": "FROZEN"},
        {"lifecycle": {"rule": [{"action": {"type": "Burn"}, "condition": {"age": 1}}]}},
        {"lifecycle": {"rule": [{"action": {"type": "SetStorageClass"}, "condition": {"age": 1}}]}},
        {"lifecycle": {"rule": [{"action": {"type": "Delete"}}]}},
        {"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": -1}}]}},
        {"softDeletePolicy": {"retentionDurationSeconds": "60"}},
    ],
)
def test_impossible_settings_are_refused(
    storage: Any, expect: Any, settings: dict[str, Any]
) -> None:
    """Storage classes, lifecycle rules and soft deletion have their limits, also in a patch."""
    make(storage, expect, 400, **settings)
    make(storage, expect)
    expect(storage.patch(f"{BUCKETS}/local-proj-data", json=settings), 400)


def test_a_bucket_stays_where_it_is(storage: Any, expect: Any) -> None:
    """Its location is told in capitals and cannot change; other case is no change."""
    made = make(storage, expect)
    assert (made["location"], made["locationType"]) == ("EUR4", "dual-region")
    url = f"{BUCKETS}/local-proj-data"
    expect(storage.patch(url, json={"location": "EU"}), 400)
    assert expect(storage.patch(url, json={"location": "eur4"}))["location"] == "EUR4"


def test_soft_deletion_can_be_off(storage: Any, expect: Any) -> None:
    """Without a word it lasts a week; 0 turns it off."""
    assert make(storage, expect)["softDeletePolicy"]["retentionDurationSeconds"] == "604800"
    changed = {"softDeletePolicy": {"retentionDurationSeconds": "0"}}
    patched = expect(storage.patch(f"{BUCKETS}/local-proj-data", json=changed))
    assert patched["softDeletePolicy"]["retentionDurationSeconds"] == "0"


def test_prevented_public_access_refuses_everybody(storage: Any, expect: Any) -> None:
    """Where public access is prevented no policy may open the bucket."""
    make(storage, expect, iamConfiguration={"publicAccessPrevention": "enforced"})
    url = f"{BUCKETS}/local-proj-data/iam"
    role = "roles/storage.objectViewer"
    public = {"bindings": [{"role": role, "members": ["allUsers"]}]}
    error = expect(storage.put(url, json=public), 412)["error"]
    assert "public access prevention is enforced" in error["message"]
    private = {"bindings": [{"role": role, "members": ["user:developer@local.test"]}]}
    expect(storage.put(url, json=private))

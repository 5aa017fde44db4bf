"""What a creation that broke off has left is kept and mended, and what is there is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.engine.provider import Properties, ResourceInitFailedError

ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"
SECRET = ("gcp:secretmanager/secret:Secret", {"secretId": "key", "replication": {"auto": {}}})
TARGET: Properties = {"uri": "http://127.0.0.1:9/"}
# type, what must be there, inputs, the call that fails, what shows afterwards
CREATIONS: list[tuple[str, Any, Properties, str, tuple[str, ...]]] = [
    (
        "gcp:serviceaccount/account:Account",
        None,
        {"accountId": "worker-sa", "disabled": True},
        "iam.projects.serviceAccounts.disable",
        ("disabled",),
    ),
    (
        "gcp:cloudscheduler/job:Job",
        None,
        {"name": "tick", "schedule": "0 * * * *", "httpTarget": TARGET, "paused": True},
        "cloudscheduler.projects.locations.jobs.pause",
        ("paused",),
    ),
    (
        VERSION,
        SECRET,
        {"secret": "projects/local-proj/secrets/key", "secretData": "s", "enabled": False},
        "secretmanager.projects.secrets.versions.disable",
        ("enabled",),
    ),
    (
        "gcp:pubsub/topic:Topic",
        None,
        {"name": "events", "labels": {"v": "1"}},
        "pubsub.projects.topics.get",
        (),
    ),
    (
        "gcp:storage/bucket:Bucket",
        None,
        {"name": "local-proj-data", "location": "EU"},
        "storage.buckets.get",
        (),
    ),
]


def refuse(method: str) -> dict[str, Any]:
    """Make the rule that refuses a method for good."""
    reply = {"code": 403, "message": "not now"}
    return {"rules": [{"match": {"method": method}, "reply": reply}]}


@pytest.mark.parametrize("creation", CREATIONS, ids=[creation[3] for creation in CREATIONS])
def test_what_was_made_is_kept_and_mended(
    on_cloud: Callable[..., None], creation: tuple[str, Any, Properties, str, tuple[str, ...]]
) -> None:
    """The failure carries the id and what is known; the next update does what is left to do."""
    type_, first, inputs, method, left_to_do = creation

    async def scenario(rehearsal: Any) -> None:
        if first is not None:
            await rehearsal.resource(first[0]).create(first[1])
        resource = rehearsal.resource(type_)
        rehearsal.cloud.faults.replace(refuse(method))
        with pytest.raises(ResourceInitFailedError, match="not now") as caught:
            await resource.create(inputs)
        assert caught.value.id
        for name in inputs.keys() - {*left_to_do, "labels"}:
            assert name in caught.value.outputs, name
        resource.id, resource.outputs = caught.value.id, caught.value.outputs
        resource.inputs = await resource.checked(inputs)
        rehearsal.cloud.faults.clear()
        drift = await resource.refresh()
        assert drift is not None, "it is there"
        assert drift.diffs == left_to_do
        await resource.update(inputs)
        assert not (await resource.diff(inputs)).changes
        await resource.delete()
        assert await resource.read() is None

    on_cloud(scenario)


def test_a_revived_role_is_kept_when_changing_it_fails(on_cloud: Callable[..., None]) -> None:
    """It is no deleted role any more, so the next creation would be refused as a second one."""

    async def scenario(rehearsal: Any) -> None:
        inputs: Properties = {
            "roleId": "director",
            "title": "Director",
            "permissions": ["pubsub.topics.get"],
        }
        role = rehearsal.resource(ROLE)
        await role.create(inputs)
        await role.delete()
        rehearsal.cloud.faults.replace(refuse("iam.projects.roles.patch"))
        changed: Properties = {**inputs, "title": "Head"}
        with pytest.raises(ResourceInitFailedError) as caught:
            await role.create(changed)
        assert caught.value.outputs["title"] == "Director"
        rehearsal.cloud.faults.clear()
        role.id, role.outputs = caught.value.id, caught.value.outputs
        assert (await role.update(changed))["title"] == "Head"

    on_cloud(scenario)


PROJECT = "projects/local-proj"
PLACE = f"{PROJECT}/locations/europe-west1"
IMPORTS: list[tuple[str, Properties, list[str]]] = [
    (
        "gcp:pubsub/topic:Topic",
        {"name": "events"},
        [f"{PROJECT}/topics/events", "local-proj/events", "events"],
    ),
    (
        "gcp:storage/bucket:Bucket",
        {"name": "local-proj-data", "location": "EU"},
        ["local-proj-data", "local-proj/local-proj-data"],
    ),
    (
        "gcp:artifactregistry/repository:Repository",
        {"repositoryId": "images", "format": "DOCKER"},
        [
            f"{PLACE}/repositories/images",
            "local-proj/europe-west1/images",
            "europe-west1/images",
            "images",
        ],
    ),
    (
        "gcp:cloudscheduler/job:Job",
        {"name": "tick", "schedule": "0 * * * *", "httpTarget": TARGET},
        [f"{PLACE}/jobs/tick", "local-proj/europe-west1/tick", "europe-west1/tick", "tick"],
    ),
    (
        "gcp:secretmanager/secret:Secret",
        {"secretId": "key", "replication": {"auto": {}}},
        [f"{PROJECT}/secrets/key", "local-proj/key", "key"],
    ),
    (
        "gcp:bigquery/dataset:Dataset",
        {"datasetId": "events", "location": "EU"},
        [f"{PROJECT}/datasets/events", "local-proj/events", "events"],
    ),
    (
        ROLE,
        {"roleId": "director", "title": "Director", "permissions": ["pubsub.topics.get"]},
        [f"{PROJECT}/roles/director", "local-proj/director", "director"],
    ),
    (
        "gcp:pubsub/topicIAMMember:TopicIAMMember",
        {"topic": "events", "role": "roles/pubsub.viewer", "member": "user:a@local.test"},
        [
            f"{PROJECT}/topics/events/roles/pubsub.viewer/user:a@local.test",
            f"{PROJECT}/topics/events roles/pubsub.viewer user:a@local.test",
        ],
    ),
]


def test_every_documented_form_of_an_id_imports(on_cloud: Callable[..., None]) -> None:
    """The id becomes the whole one, and the inputs would make the resource."""

    async def scenario(rehearsal: Any) -> None:
        for type_, inputs, forms in IMPORTS:
            made = rehearsal.resource(type_)
            await made.create(inputs)
            for form in forms:
                imported = rehearsal.resource(type_)
                imported.id = form
                found = await imported.read()
                assert found is not None, form
                assert found.id == made.id, form
                imported.id, imported.outputs, imported.inputs = (
                    found.id,
                    found.outputs,
                    found.inputs,
                )
                assert not (await imported.diff(inputs)).changes, form
                absent = rehearsal.resource(type_)
                absent.id = form.replace("events", "absent").replace("viewer", "editor")
                absent.id = absent.id if absent.id != form else f"{form[:-3]}zzz"
                assert await absent.read() is None, absent.id

    on_cloud(scenario)

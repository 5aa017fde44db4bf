"""Replays what the official provider sent when it created and refreshed one of each resource."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from answer_shapes import misshapen

FOLDER = os.environ.get("CONDUCTOR_SHARED_TESTDATA", "")
# Fields that the provider reads into its state, by method; without them a second preview differs.
NEEDED = {
    "cloudresourcemanager.projects.get": "projectNumber projectId name lifecycleState createTime",
    "cloudbilling.projects.getBillingInfo": "billingAccountName",
    "iam.projects.serviceAccounts.get": "name email projectId uniqueId displayName etag",
    "pubsub.projects.topics.get": "name labels messageRetentionDuration",
    "pubsub.projects.subscriptions.get": (
        "name topic labels ackDeadlineSeconds pushConfig messageRetentionDuration"
        " expirationPolicy state"
    ),
    "storage.buckets.get": (
        "id name selfLink projectNumber metageneration timeCreated updated etag location"
        " locationType storageClass iamConfiguration softDeletePolicy rpo labels lifecycle"
    ),
    "bigquery.datasets.get": (
        "id selfLink etag creationTime lastModifiedTime location type maxTimeTravelHours access"
    ),
    "bigquery.tables.get": "numBytes numRows numLongTermBytes type location schema etag",
    "firestore.projects.databases.get": (
        "uid keyPrefix etag createTime updateTime earliestVersionTime versionRetentionPeriod"
        " concurrencyMode appEngineIntegrationMode pointInTimeRecoveryEnablement"
        " deleteProtectionState databaseEdition"
    ),
    "secretmanager.projects.secrets.get": "name labels createTime replication",
    "secretmanager.projects.secrets.versions.get": "name state createTime",
    "secretmanager.projects.secrets.versions.access": "name payload",
    "artifactregistry.projects.locations.repositories.get": (
        "name createTime updateTime registryUri sizeBytes format mode labels"
    ),
    "run.projects.locations.services.get": (
        "uid generation createTime updateTime launchStage ingress terminalCondition conditions"
        " traffic etag template"
    ),
    "cloudscheduler.projects.locations.jobs.get": (
        "state userUpdateTime timeZone attemptDeadline schedule httpTarget"
    ),
}


class Replay:
    """Sends recorded calls, with this cloud's operation ids and etags in place of recorded ones."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._operations: dict[str, list[str]] = defaultdict(list)
        self._known: dict[str, str] = {}
        self._policies: dict[str, Any] = {}

    def send(self, call: dict[str, Any]) -> Any:
        """Send one call and return the answer."""
        path, body = self._path(call["path"]), call["body"]
        policy = body.get("policy", body) if isinstance(body, dict) else {}
        if "etag" in policy:
            known = self._policies[_resource(path)]
            policy["etag"] = known["etag"]
            if call["method_id"].startswith("cloudresourcemanager"):
                # The recorded project had no owner; this one's shall stay.
                policy["bindings"] = [*known["bindings"], *policy["bindings"]]
        answer = self._client.request(
            call["method"], path, params=call["query"], json=body or None, timeout=30
        )
        content = answer.json() if answer.content else {}
        if "IamPolicy" in call["method_id"] and "etag" in content:
            self._policies[_resource(path)] = content
        name = content.get("name", "") if isinstance(content, dict) else ""
        if "operations/" in name and call["method"] != "GET":
            service = path.split("/")[1]
            self._operations[f"{service}/{name.rpartition('/')[0]}"].append(name)
        return answer

    def _path(self, path: str) -> str:
        head, separator, _ = path.partition("/operations/")
        if not separator:
            return path
        if path not in self._known:
            service = path.split("/")[1]
            prefix = "/".join([*head.split("/")[3:], "operations"])
            name = self._operations[f"{service}/{prefix}"].pop(0)
            self._known[path] = "/".join([*path.split("/")[:3], name])
        return self._known[path]


def _resource(path: str) -> str:
    return path.partition(":")[0].removesuffix("/iam")


@pytest.mark.skipif(not FOLDER, reason="CONDUCTOR_SHARED_TESTDATA names no recorded calls")
def test_every_recorded_call_of_the_provider_succeeds(local_cloud: Any) -> None:
    """The same calls get the same codes, and answers with all that the provider reads."""
    replay = Replay(local_cloud.deployer)
    for line in (Path(FOLDER) / "provider-calls.jsonl").read_text().splitlines():
        call = json.loads(line)
        answer = replay.send(call)
        assert answer.status_code == call["status"], (call, answer.text)
        needed = NEEDED.get(call["method_id"], "").split()
        missing = [field for field in needed if field not in answer.json()]
        assert not missing, (call["method_id"], missing, answer.text)
        if answer.content:
            assert misshapen(call["method_id"], call["path"], answer.json()) == [], answer.text

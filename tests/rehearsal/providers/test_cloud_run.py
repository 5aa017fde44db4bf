"""Cloud Run services on the local cloud, with a real process behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.provider import Properties, ProviderError, ResourceInitFailedError

SERVICE = "gcp:cloudrunv2/service:Service"
ACCOUNT = "gcp:serviceaccount/account:Account"
EMAIL = "worker-sa@local-proj.iam.gserviceaccount.com"
ANSWERING = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
# The keys of the recorded outputs of the official provider.
OUTPUT_KEYS = {
    "annotations", "binaryAuthorization", "buildConfig", "client", "clientVersion", "conditions",
    "createTime", "creator", "customAudiences", "defaultUriDisabled", "deleteTime",
    "deletionPolicy", "deletionProtection", "description", "effectiveAnnotations",
    "effectiveLabels", "etag", "expireTime", "generation", "iapEnabled", "id", "ingress",
    "invokerIamDisabled", "labels", "lastModifier", "latestCreatedRevision",
    "latestReadyRevision", "launchStage", "location", "multiRegionSettings", "name",
    "observedGeneration", "project", "pulumiLabels", "reconciling", "scaling", "tags",
    "template", "terminalConditions", "trafficStatuses", "traffics", "uid", "updateTime",
    "uri", "urls",
}  # fmt: skip


async def build(rehearsal: Any, folder: Path, source: str) -> str:
    """Push an image of one source file and return its reference by digest."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    await asyncio.to_thread((folder / "main.py").write_text, source)
    repository = rehearsal.resource("gcp:artifactregistry/repository:Repository")
    await repository.create({"repositoryId": "images", "format": "DOCKER"})
    image = rehearsal.resource("docker:index/image:Image")
    name = f"127.0.0.1:{rehearsal.cloud.port}/local-proj/images/worker:v1"
    await image.create({"imageName": name, "build": {"context": str(folder)}})
    return str(image.outputs["repoDigest"])


def inputs_for(image: str, **changes: Any) -> Properties:
    """Return the inputs of a service."""
    return {
        "name": "worker",
        "location": "europe-west1",
        "deletionProtection": False,
        "template": {
            "serviceAccount": EMAIL,
            "containers": [{"image": image, "envs": [{"name": "A", "value": "1"}]}],
        },
        **changes,
    }


def test_service_is_made_read_changed_and_deleted_without_drift(
    on_cloud: Callable[..., None], tmp_path: Path
) -> None:
    """A service shows no difference after each step, and its invoker neither."""

    async def scenario(rehearsal: Any) -> None:
        await rehearsal.resource(ACCOUNT).create({"accountId": "worker-sa"})
        image = await build(rehearsal, tmp_path / "context", ANSWERING)
        first = inputs_for(image, labels={"v": "1"})
        changed = inputs_for(image, labels={"v": "2"}, description="Works")
        changed["template"] = {
            "serviceAccount": EMAIL,
            "containers": [{"image": image, "envs": [{"name": "A", "value": "2"}]}],
        }
        resource = await rehearsal.life(SERVICE, first, changed)
        assert resource.outputs.keys() == OUTPUT_KEYS
        service = rehearsal.resource(SERVICE)
        await service.create(first)
        await rehearsal.life(
            "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
            {
                "name": "worker",
                "location": "europe-west1",
                "role": "roles/run.invoker",
                "member": f"serviceAccount:{EMAIL}",
            },
        )
        await service.delete()

    on_cloud(scenario)


def test_protected_service_is_not_deleted(on_cloud: Callable[..., None], tmp_path: Path) -> None:
    """Deletion protection is on unless it is switched off, and says what to do."""

    async def scenario(rehearsal: Any) -> None:
        await rehearsal.resource(ACCOUNT).create({"accountId": "worker-sa"})
        image = await build(rehearsal, tmp_path / "context", ANSWERING)
        protected = inputs_for(image)
        del protected["deletionProtection"]
        service = rehearsal.resource(SERVICE)
        outputs = await service.create(protected)
        assert outputs["deletionProtection"] is True
        with pytest.raises(ProviderError, match="deletion_protection=false"):
            await service.delete()
        await service.update(inputs_for(image))
        await service.delete()

    on_cloud(scenario)


def test_service_that_does_not_start_is_recorded_as_unhealthy(
    on_cloud: Callable[..., None], tmp_path: Path
) -> None:
    """The failed service exists: its id and outputs travel with the reason."""

    async def scenario(rehearsal: Any) -> None:
        await rehearsal.resource(ACCOUNT).create({"accountId": "worker-sa"})
        image = await build(rehearsal, tmp_path / "context", "raise SystemExit(3)\n")
        service = rehearsal.resource(SERVICE)
        with pytest.raises(ResourceInitFailedError) as caught:
            await service.create(inputs_for(image))
        error = caught.value
        assert error.id == "projects/local-proj/locations/europe-west1/services/worker"
        assert error.outputs.keys() == OUTPUT_KEYS
        assert "Error waiting for Creating Service: Error code 9" in error.reasons[0]
        service.id, service.outputs = error.id, error.outputs
        drift = await service.refresh()
        assert drift is not None
        assert drift.diffs == ("conditions",)
        with pytest.raises(ResourceInitFailedError):
            await service.update(inputs_for(image))
        await service.delete()
        assert await service.read() is None

    on_cloud(scenario)


def test_failed_service_is_tried_again_and_heals(
    on_cloud: Callable[..., None], tmp_path: Path
) -> None:
    """The same inputs again start a service whose first start failed for an outer reason."""
    switch = tmp_path / "switch"
    source = f"import pathlib\nassert pathlib.Path({str(switch)!r}).exists()\n{ANSWERING}"

    async def scenario(rehearsal: Any) -> None:
        await rehearsal.resource(ACCOUNT).create({"accountId": "worker-sa"})
        image = await build(rehearsal, tmp_path / "context", source)
        service = rehearsal.resource(SERVICE)
        with pytest.raises(ResourceInitFailedError) as caught:
            await service.create(inputs_for(image))
        service.id, service.outputs = caught.value.id, caught.value.outputs
        await asyncio.to_thread(switch.touch)
        await service.update(inputs_for(image))
        assert not (await service.diff(inputs_for(image))).changes
        await service.delete()

    on_cloud(scenario)

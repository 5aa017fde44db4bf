"""What the layers declare for target google, under Pulumi's mocks; for a local cloud as before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.components.conftest import Recording
    from tests.stacks.conftest import Layers

KEY = "projects/keys/locations/eu/keyRings/r/cryptoKeys/k"
# As `GoogleTarget.stack_config` and `director_environment` write it.
GOOGLE: Mapping[str, str | None] = {
    "conductor:target": "google",
    "conductor:registry": None,
    "conductor:deployer": "serviceAccount:deployer@shop-project.iam.gserviceaccount.com",
    "conductor:state": json.dumps({"bucket": "shop-state", "key": KEY}),
    "conductor:directorEnvironment": json.dumps({"PULUMI_BACKEND_URL": "gs://shop-state"}),
}
STATE_GRANTS = {
    "gcp:storage/bucketIAMMember:BucketIAMMember": ("shop-state", "roles/storage.objectUser"),
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": (
        KEY,
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    ),
}


def on_state(recording: Recording) -> dict[str, tuple[str, str]]:
    """Give the grants on the bucket and the key, by the type of their resource."""
    return {
        resource.type: (
            resource.inputs.get("bucket") or resource.inputs["cryptoKeyId"],
            resource.inputs["role"],
        )
        for type_ in STATE_GRANTS
        for resource in recording.of(type_)
        if resource.inputs["member"].startswith("serviceAccount:director-sa@")
    }


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
def test_the_foundation_lets_the_director_use_state_and_key(
    layers: Layers, *, preview: bool
) -> None:
    """Objects of one bucket and use of one key; neither is made, changed or given away."""
    recording = layers.declare("test.foundation", preview=preview, config=GOOGLE)
    assert on_state(recording) == STATE_GRANTS
    made = {resource.type for resource in recording.resources}
    assert not made & {"gcp:storage/bucket:Bucket", "gcp:kms/cryptoKey:CryptoKey"}
    roles = {
        resource.inputs["role"]
        for resource in recording.of("gcp:projects/iAMMember:IAMMember")
        if resource.inputs["member"].startswith("serviceAccount:director-sa@")
    }
    assert roles == {"projects/shop-project/roles/shop_director"}


def test_on_a_local_cloud_there_is_no_such_grant(layers: Layers) -> None:
    """The director shares the deployer's folders."""
    assert on_state(layers.declare("test.foundation")) == {}


@pytest.mark.parametrize("health_check", [True, False], ids=["declared", "not declared"])
def test_the_director_is_always_there_and_waited_for(layers: Layers, *, health_check: bool) -> None:
    """One instance with its processor between requests, and a probe of its start-up check."""
    if not health_check:
        path = layers._folder / "architecture.yaml"
        text = path.read_text()
        declared, _, rest = text.partition("service_manager_spec:")
        assert "health_check:" in rest
        without = rest.replace("  health_check:\n    path: /health/ready\n", "", 1)
        assert without != rest
        path.write_text(f"{declared}service_manager_spec:{without}")
    template = director(layers.declare("test.director", config=GOOGLE))["template"]
    assert template["scaling"] == {"minInstanceCount": 1, "maxInstanceCount": 1}
    (container,) = template["containers"]
    assert container["resources"]["cpuIdle"] is False
    probe = container["startupProbe"]
    assert probe["httpGet"]["path"] == "/health/ready"
    # The most that Cloud Run allows: the director's grants may take that long to work.
    assert probe["periodSeconds"] * probe["failureThreshold"] == 240
    variables = {item["name"]: item.get("value") for item in container["envs"]}
    assert variables["PULUMI_BACKEND_URL"] == "gs://shop-state"


def director(recording: Recording) -> dict[str, Any]:
    """Give the inputs of the director's Cloud Run service."""
    inputs: dict[str, Any] = recording.one("gcp:cloudrunv2/service:Service").inputs
    return inputs


def test_images_go_to_the_projects_own_registry(layers: Layers) -> None:
    """Artifact Registry's host of the region, the director's image too."""
    host = "europe-west1-docker.pkg.dev"
    for stack, name in (("test.images", "front"), ("test.director", "director")):
        image = layers.declare(stack, config=GOOGLE).one("docker:index/image:Image", name)
        assert image.inputs["imageName"] == f"{host}/shop-project/cloud-deploy/{name}"
        assert image.inputs["registry"] == {"server": host}


def test_the_deployers_grants_are_its_accounts(layers: Layers) -> None:
    """Deploying as a service account: it may try and attach the services' accounts."""
    recording = layers.declare("test.foundation", config=GOOGLE)
    members = {
        resource.inputs["member"]
        for resource in recording.of("gcp:serviceaccount/iAMMember:IAMMember")
    }
    assert members == {GOOGLE["conductor:deployer"]}


@pytest.mark.parametrize("held", [{"bucket": "b"}, {"bucket": "b", "key": "k", "more": "x"}])
def test_a_place_of_state_is_whole_or_refused(layers: Layers, held: dict[str, str]) -> None:
    """Half a place would be half the director's grants."""
    with pytest.raises(Exception, match="must name a bucket and a key"):
        layers.declare("test.foundation", config={**GOOGLE, "conductor:state": json.dumps(held)})

"""Cloud Run services and their images as components."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.service import CloudRunService, Container, Scaling, SecretVariable
from components.service_image import ServiceImage

if TYPE_CHECKING:
    from tests.components.conftest import Outputs, Program, Recording

TYPE = "gcp:cloudrunv2/service:Service"


def declare(container: Container, scaling: Scaling | None = None) -> Outputs:
    """Declare the service under test and put out its URL."""
    service = CloudRunService(
        "shop",
        project="p",
        location="r",
        service_account="shop@p.iam.gserviceaccount.com",
        container=container,
        scaling=scaling or Scaling(),
        labels={"a": "b"},
    )
    return {"url": service.url}


def template_of(recording: Recording) -> dict[str, Any]:
    """Return the revision template that was asked for."""
    return recording.one(TYPE).inputs["template"]


def test_a_service_runs_its_image_as_its_account(program: Program) -> None:
    """The image is by digest, the account its own, the URL the component's output (0.12)."""
    recording = program.run(lambda: declare(Container(image="r/p/i/shop@sha256:0")))
    component, service = recording.one("conductor:service:CloudRunService"), recording.one(TYPE)
    assert service.parent == component.urn
    assert service.inputs["labels"] == {"a": "b"}
    assert service.inputs["deletionProtection"] is False
    assert service.protect is False
    template = template_of(recording)
    assert template["serviceAccount"] == "shop@p.iam.gserviceaccount.com"
    assert template["containers"][0]["image"] == "r/p/i/shop@sha256:0"
    assert template["containers"][0]["resources"]["limits"] == {"cpu": "1", "memory": "512Mi"}
    assert recording.outputs == {"url": "https://shop.test"}


def test_environment_is_sorted_whatever_the_order_it_was_given_in(program: Program) -> None:
    """Another order would be another revision although nothing changed."""
    container = Container(
        image="i", environment={"Z": "1", "A": "2"}, secrets=[SecretVariable("M", "key", "3")]
    )
    (declared,) = template_of(program.run(lambda: declare(container)))["containers"]
    assert declared["envs"] == [
        {"name": "A", "value": "2"},
        {"name": "M", "valueSource": {"secretKeyRef": {"secret": "key", "version": "3"}}},
        {"name": "Z", "value": "1"},
    ]


def test_the_health_route_is_the_startup_probe(program: Program) -> None:
    """A service with a health route is up only when the route says so."""
    container = Container(image="i", health_path="/health/ready")
    (declared,) = template_of(program.run(lambda: declare(container)))["containers"]
    assert declared["startupProbe"]["httpGet"] == {"path": "/health/ready"}


def test_without_a_health_route_cloud_run_waits_for_the_port(program: Program) -> None:
    """No probe is declared, so Cloud Run's own applies."""
    (declared,) = template_of(program.run(lambda: declare(Container(image="i"))))["containers"]
    assert "startupProbe" not in declared


@pytest.mark.parametrize(("least", "idle"), [(None, True), (0, True), (1, False)])
def test_an_instance_that_is_always_there_has_cpu_between_requests(
    program: Program, least: int | None, *, idle: bool
) -> None:
    """A consumer pulls messages without requests; without CPU it would stand still."""
    recording = program.run(lambda: declare(Container(image="i"), Scaling(least, 2)))
    (declared,) = template_of(recording)["containers"]
    assert declared["resources"]["cpuIdle"] is idle


def test_a_service_can_always_be_deleted(program: Program) -> None:
    """It holds no data; the provider's own default would refuse to delete it."""
    recording = program.run(lambda: declare(Container(image="i")))
    assert recording.one(TYPE).inputs["deletionProtection"] is False
    assert recording.one(TYPE).protect is False


def test_an_image_is_referred_to_by_digest_and_has_no_password_in_it(program: Program) -> None:
    """The reference is by digest; credentials never become inputs, hence never state (0.15)."""
    recording = program.run(
        lambda: {
            "image": ServiceImage(
                "shop", image_name="host/p/repo/shop", build_context=Path("ctx")
            ).reference
        }
    )
    image = recording.one("docker:index/image:Image")
    assert image.parent == recording.one("conductor:service:ServiceImage").urn
    assert image.inputs["imageName"] == "host/p/repo/shop"
    assert image.inputs["registry"] == {"server": "host"}
    assert image.inputs["build"]["context"] == "ctx"
    assert recording.outputs["image"].startswith("host/p/repo/shop@sha256:")

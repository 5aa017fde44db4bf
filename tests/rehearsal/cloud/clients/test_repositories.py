"""`google-cloud-artifact-registry`: repositories through their operations."""

from __future__ import annotations

from google.cloud.artifactregistry_v1 import (
    ArtifactRegistryClient,
    OperationMetadata,
    Repository,
)
from google_clients import LOCATION, Clients, refused, walk_policy

NAME = f"{LOCATION}/repositories/images"


def test_a_repository_lives(clients: Clients) -> None:
    """Created, read, listed, changed by mask, granted, deleted, and made anew."""
    registry = clients.rest(ArtifactRegistryClient, "artifactregistry")
    body = {"format_": "DOCKER", "description": "ours", "labels": {"team": "x"}}
    creating = registry.create_repository(parent=LOCATION, repository_id="images", repository=body)
    repository = creating.result(10)
    assert isinstance(creating.metadata, OperationMetadata)
    assert repository == registry.get_repository(name=NAME)
    assert repository.registry_uri == "europe-west1-docker.pkg.dev/local-proj/images"
    assert (repository.format_, repository.mode) == (
        Repository.Format.DOCKER,
        Repository.Mode.STANDARD_REPOSITORY,
    )
    assert list(registry.list_repositories(parent=LOCATION)) == [repository]
    changed = registry.update_repository(
        repository={"name": NAME, "description": "theirs", "labels": {}},
        update_mask={"paths": ["description"]},
    )
    assert (changed.description, dict(changed.labels)) == ("theirs", {"team": "x"})
    walk_policy(registry, NAME, "artifactregistry.repositories.get")
    registry.delete_repository(name=NAME).result(10)
    with refused("NOT_FOUND"):
        registry.get_repository(name=NAME)
    again = registry.create_repository(parent=LOCATION, repository_id="images", repository=body)
    assert again.result(10).create_time > repository.create_time
    assert not registry.get_iam_policy(request={"resource": NAME}).bindings

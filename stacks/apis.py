"""Which Google APIs an architecture needs."""

from __future__ import annotations

from architecture.model import Architecture

_ALWAYS = (
    "artifactregistry.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "pubsub.googleapis.com",  # The director's commands, if nothing else.
    "run.googleapis.com",
    "serviceusage.googleapis.com",
)
_SECRETS = "secretmanager.googleapis.com"


def required_apis(architecture: Architecture) -> tuple[str, ...]:
    """Return the APIs that the system's resources and its deployment need, sorted."""
    apis = set(_ALWAYS)
    if any(
        service.deployment is not None and service.deployment.secret_environment_vars
        for service in architecture.all_services()
    ):
        apis.add(_SECRETS)
    return tuple(sorted(apis))

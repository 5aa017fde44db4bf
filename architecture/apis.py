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
_OF_KINDS = {
    "bigquery_datasets": "bigquery.googleapis.com",
    "bigquery_tables": "bigquery.googleapis.com",
    "gcs_buckets": "storage.googleapis.com",
    "firestore_databases": "firestore.googleapis.com",
    "firestore_collections": "firestore.googleapis.com",
    "cloud_scheduler_jobs": "cloudscheduler.googleapis.com",
}


def required_apis(architecture: Architecture) -> tuple[str, ...]:
    """Return the APIs that the system's resources and its deployment need, sorted."""
    apis = set(_ALWAYS)
    apis |= {
        _OF_KINDS[kind]
        for dataflow in architecture.dataflows.values()
        for kind, _ in dataflow.resources.each()
        if kind in _OF_KINDS
    }
    if any(
        service.deployment is not None and service.deployment.secret_environment_vars
        for service in architecture.all_services()
    ):
        apis.add(_SECRETS)
    return tuple(sorted(apis))

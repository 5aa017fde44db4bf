"""Where a value comes from that a preview does not know yet, in words.

An engine says that a value is unknown, not why. Between our stacks only image digests and URLs
are passed (design.md 4), so that the property tells.
"""

from __future__ import annotations

import re

from orchestration.automation.results import PlannedStep

SERVICE_TYPE = "gcp:cloudrunv2/service:Service"
TABLE_TYPE = "gcp:bigquery/table:Table"
JOB_TYPE = "gcp:cloudscheduler/job:Job"
IMAGE_PATH = re.compile(r"template\.containers\[\d+\]\.image$")
ENVIRONMENT_PATH = re.compile(r"template\.containers(\[\d+\](\.envs.*)?)?$")


def source_of(step: PlannedStep, path: str) -> str:
    """Say what has to be done before a property's value is known."""
    if step.type == SERVICE_TYPE and IMAGE_PATH.search(path):
        return "the image's digest, once it is built"
    if step.type == SERVICE_TYPE and ENVIRONMENT_PATH.search(path):
        return "the URL of a service that is called, once that service is up"
    if step.type == JOB_TYPE and path.startswith("httpTarget"):
        return "the URL of the service that is called, once that service is up"
    if step.type == TABLE_TYPE and path == "expirationTime":
        return "so long after the table is made as the architecture says"
    return "what the cloud gives it, once it is made"

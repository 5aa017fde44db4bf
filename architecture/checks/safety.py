"""What Google reserves, what would be public or readable, and what lies too far apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from architecture import limits
from architecture.checks.problem import Problem, placed_services
from architecture.findings import Severity, shown
from architecture.links import Where, links_by_service, placed_resources
from architecture.model import (
    Architecture,
    BigQueryDataset,
    FirestoreDatabase,
    GcsBucket,
    Resource,
    Service,
)

RESERVED_VARIABLES: Final = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
"""Set by Cloud Run (https://cloud.google.com/run/docs/container-contract#env-vars)."""
PUBLIC_PRINCIPALS: Final = frozenset({"allUsers", "allAuthenticatedUsers"})
"""Everybody on the internet, and everybody with any Google account."""
# https://cloud.google.com/run/docs/known-issues#ah: "some paths ending with z" never arrive.
_RESERVED_PATH: Final = re.compile(r"/eventlog|/_ah/.*|.*z")
# Values that are secrets whatever they are called: keys and tokens with a mark of their own.
_SECRET_VALUE: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|AIza[\w-]{35}|ya29\.[\w-]{20,}|gh[pousr]_\w{30,}"
    r"|xox[abprs]-[\w-]{10,}|sk_live_\w{10,}|AKIA[0-9A-Z]{16}"
)
# Names that ask for a secret; `TOKEN_URL` or `PASSWORD_FILE` do not.
_SECRET_NAME: Final = re.compile(
    r"(?:.*_)?(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)",
    re.IGNORECASE,
)
# The area of a location: the first word of a region, or a multi-region's or dual-region's letters.
_AREAS: Final = {
    "us": "America",
    "nam": "America",
    "northamerica": "America",
    "southamerica": "America",
    "eu": "Europe",
    "eur": "Europe",
    "europe": "Europe",
    "asia": "Asia",
    "australia": "Australia",
    "me": "the Middle East",
    "africa": "Africa",
}


def reserved_variables(arch: Architecture) -> Iterator[Problem]:
    """No variable is one that Cloud Run sets itself: it would refuse the service."""
    links = links_by_service(arch)
    for where, service in placed_services(arch):
        for name, place in _variables(service, where):
            if name in RESERVED_VARIABLES:
                yield _reserved(name, place)
        for link in links.get(service.name, ()):
            key = link.mapping.lookup.key if link.mapping.lookup else ""
            if link.method == "env" and key in RESERVED_VARIABLES:
                yield _reserved(key, (*link.where, "lookup", "key"))


def _variables(service: Service, where: Where) -> Iterator[tuple[str, Where]]:
    if service.deployment is None:
        return
    root = (*where, "deployment")
    for name in service.deployment.environment_vars:
        yield name, (*root, "environment_vars", name)
    for index, secret in enumerate(service.deployment.secret_environment_vars):
        yield secret.name, (*root, "secret_environment_vars", index, "name")


def _reserved(name: str, place: Where) -> Problem:
    message = f"Cloud Run sets the variable {shown(name)} itself"
    return Problem("reserved-variable", place, message, "choose another name")


def reserved_paths(arch: Architecture) -> Iterator[Problem]:
    """No health check asks for a path that Cloud Run keeps for itself."""
    for where, service in placed_services(arch):
        path = service.health_check.path if service.health_check else ""
        if path.startswith("/") and _RESERVED_PATH.fullmatch(path):
            message = f"Cloud Run keeps the path {shown(path)} for itself"
            place = (*where, "health_check", "path")
            yield Problem("reserved-path", place, message, "for example `/health`")


def public_principals(arch: Architecture) -> Iterator[Problem]:
    """No policy lets everybody in."""
    for where, _, _, resource in placed_resources(arch):
        for index, policy in enumerate(resource.iam_access_policy):
            if policy.name in PUBLIC_PRINCIPALS:
                message = f"{shown(policy.name)} is everybody"
                place = (*where, "iam_access_policy", index, "name")
                yield Problem("public-principal", place, message, "name a service or an account")


def plain_secrets(arch: Architecture) -> Iterator[Problem]:
    """No secret stands in the file; its value is in the repository then, and in every log."""
    for where, service in placed_services(arch):
        variables = service.deployment.environment_vars if service.deployment else {}
        for name, value in variables.items():
            place = (*where, "deployment", "environment_vars", name)
            fix = "put it into Secret Manager and name it in `secret_environment_vars`"
            if _SECRET_VALUE.search(value):
                message = f"the value of {shown(name)} is a secret"
                yield Problem("plain-secret", place, message, fix)
            elif value and _SECRET_NAME.fullmatch(name):
                message = f"the value of {shown(name)} looks like a secret"
                yield Problem("plain-secret", place, message, fix, Severity.WARNING)


def bucket_names(arch: Architecture) -> Iterator[Problem]:
    """Buckets have names that Cloud Storage takes, and that nobody else is likely to have."""
    for where, _, _, resource in placed_resources(arch):
        name = resource.name
        if not isinstance(resource, GcsBucket) or not limits.BUCKET_NAME.fullmatch(name):
            continue
        place = (*where, "name")
        if limits.IP_ADDRESS.fullmatch(name) or limits.GOOGLE_LIKE.search(name) or ".." in name:
            message = f"{shown(name)} is no name for a bucket"
            fix = "no address, no two dots, nothing like `google`"
            yield Problem("bad-bucket-name", place, message, fix)
        elif not any(part and part in name for part in (arch.name, arch.project_id)):
            message = f"the bucket {shown(name)} shares its name with all buckets of Google Cloud"
            fix = f"make it its own, for example `{arch.name or 'shop'}-{name}`"
            yield Problem("bucket-name-global", place, message, fix, Severity.WARNING)


def locations(arch: Architecture) -> Iterator[Problem]:
    """Locations are ones that there are, and data lies where the services are that use it."""
    yield from _location(arch.location, ("location",))
    for where, _, _, resource in placed_resources(arch):
        match resource:
            case BigQueryDataset(location=given) | GcsBucket(location=given):
                key = "location"
            case FirestoreDatabase(location_id=given):
                key = "location_id"
            case _:
                continue
        place = (*where, key)
        yield from _location(given, place)
        far = _too_far(arch, resource, given)
        if far is not None:
            message = f"{shown(given)} is in {_area(given)}, the services run in {far}"
            fix = "choose a location near them, or their `region` near it"
            yield Problem("region-conflict", place, message, fix, Severity.WARNING)


def _location(given: str, place: Where) -> Iterator[Problem]:
    if given and not limits.LOCATION.fullmatch(given):
        message = f"{shown(given)} is no location"
        fix = "a region such as `europe-west1`, or `US`, `EU`, `ASIA`, `NAM4`, `EUR4`"
        yield Problem("bad-location", place, message, fix)


def _too_far(arch: Architecture, resource: Resource, given: str) -> str | None:
    """Return the area in which the services run, if it is another one than the resource's."""
    here, there = _area(given), _area(arch.region)
    apart = here is not None and there is not None and here != there
    return there if apart and resource.name else None


def _area(location: str) -> str | None:
    return _AREAS.get(re.sub(r"[0-9].*|-.*", "", location.lower()))

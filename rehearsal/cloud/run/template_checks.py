"""What a service may not ask for: because Cloud Run refuses it, or because it is not modelled.

Nothing that changes what a service does for its callers is taken and then ignored. What only
says where it runs, or on what, is kept and shown; the folder's README lists it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import failed_precondition, invalid_argument

_IMAGE: Final = re.compile(
    r"([\w.-]+(:\d+)?/)?[a-z0-9._/-]+(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
RESERVED_VARIABLES: Final = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
_RESERVED_NAMESPACES: Final = (
    ".run.googleapis.com",
    ".cloud.googleapis.com",
    ".serving.knative.dev",
    ".autoscaling.knative.dev",
)
_UNMODELLED_OF_SERVICE: Final = ("buildConfig", "iapEnabled", "multiRegionSettings", "sshEnabled")
_UNMODELLED_OF_TEMPLATE: Final = (
    "ambientNetworking",
    "nodeSelector",
    "sandboxes",
    "serviceMesh",
    "volumes",
    "workloadIdentityConfig",
)
_UNMODELLED_OF_CONTAINER: Final = (
    "baseImageUri",
    "buildConfig",
    "dependsOn",
    "sandboxLauncher",
    "sourceCode",
    "volumeMounts",
)
_LIMITS: Final[Mapping[str, re.Pattern[str]]] = {
    "cpu": re.compile(r"[1-9]\d*m?|\d+\.\d+"),
    "memory": re.compile(r"[1-9]\d*([kMG]i?)?"),
}
_MAX_CONCURRENCY: Final = 1000
_MAX_TIMEOUT_S: Final = 3600
_MAX_DESCRIPTION: Final = 512
_MAX_PORT: Final = 65535
_MAX_REVISION: Final = 63
_MAX_STARTUP_S: Final = 240
_MAX_LIVENESS_S: Final = 3600
_PROBES: Final[Mapping[str, int]] = {
    "startupProbe": _MAX_STARTUP_S,
    "livenessProbe": _MAX_LIVENESS_S,
    "readinessProbe": _MAX_LIVENESS_S,
}
_ACTIONS: Final = frozenset({"httpGet", "tcpSocket", "grpc"})


def check_service(service: JsonObject) -> None:
    """Refuse a service, its template with its defaults, by what it asks for.

    Raises:
        ApiError: 400.
    """
    template = service["template"]
    _refuse_unmodelled(service, "service", _UNMODELLED_OF_SERVICE)
    if (service.get("binaryAuthorization") or {}).get("policy"):
        raise _unmodelled("service.binaryAuthorization.policy")
    if len(service.get("description") or "") > _MAX_DESCRIPTION:
        raise invalid_argument(
            f"Violation in Service.description: it has more than {_MAX_DESCRIPTION} characters."
        )
    for place, body in (("service", service), ("template", template)):
        _check_namespaces(place, body)
    counts = service.get("scaling") or {}
    _check_counts("scaling", counts)
    _check_template(template, service["name"].rsplit("/", 1)[-1])


def _check_template(template: JsonObject, service_id: str) -> None:
    _refuse_unmodelled(template, "template", _UNMODELLED_OF_TEMPLATE)
    containers = template["containers"]
    if not containers:
        raise invalid_argument("template.containers: Revision template should contain a container.")
    if len(containers) > 1:
        raise failed_precondition("Several containers are not modelled in the local cloud.")
    revision = template.get("revision") or ""
    if revision and (not revision.startswith(f"{service_id}-") or len(revision) > _MAX_REVISION):
        raise invalid_argument(
            f"template.revision: Revision names must begin with '{service_id}-' and have at most "
            f"{_MAX_REVISION} characters."
        )
    if not 0 < int(template["maxInstanceRequestConcurrency"]) <= _MAX_CONCURRENCY:
        raise invalid_argument(
            f"template.max_instance_request_concurrency: must be between 1 and {_MAX_CONCURRENCY}."
        )
    if not 0 < float(template["timeout"].removesuffix("s")) <= _MAX_TIMEOUT_S:
        raise invalid_argument(f"template.timeout: must be between 1s and {_MAX_TIMEOUT_S}s.")
    _check_counts("template.scaling", template["scaling"])
    _check_container(containers[0])


def _check_container(container: JsonObject) -> None:
    place = "template.containers[0]"
    _refuse_unmodelled(container, place, _UNMODELLED_OF_CONTAINER)
    image = container.get("image") or ""
    if not _IMAGE.fullmatch(image):
        raise invalid_argument(
            f'{place}.image: Invalid value: "{image}". Expected an image path like '
            "[host/]repo-path[:tag and/or @digest], where host is one of [region.]gcr.io, "
            "[region-]docker.pkg.dev or docker.io."
        )
    _check_variables(place, container)
    _check_limits(place, container)
    _check_port(place, container)
    for name, most_s in _PROBES.items():
        if probe := container.get(name):
            for problem in _problems_of_probe(probe, most_s):
                raise invalid_argument(f"{place}.{name}: {problem}.")


def _check_variables(place: str, container: JsonObject) -> None:
    names = [variable["name"] for variable in container.get("env") or ()]
    reserved = sorted(RESERVED_VARIABLES.intersection(names))
    if reserved:
        raise invalid_argument(
            f"{place}.env: The following reserved env names were provided: "
            f"{', '.join(reserved)}. These values are automatically set by the system."
        )


def _check_limits(place: str, container: JsonObject) -> None:
    for limit, value in container["resources"]["limits"].items():
        if limit not in _LIMITS:
            raise failed_precondition(f"{place}.resources.limits: {limit} is not modelled.")
        if not _LIMITS[limit].fullmatch(str(value)):
            raise invalid_argument(
                f"{place}.resources.limits.{limit}: Invalid value specified for {limit}."
            )


def _check_port(place: str, container: JsonObject) -> None:
    if len(container["ports"]) > 1:
        raise invalid_argument(f"{place}.ports: should contain exactly one port.")
    (port,) = container["ports"]
    if port["name"] == "h2c":
        raise failed_precondition(f"{place}.ports: HTTP/2 is not modelled in the local cloud.")
    if port["name"] != "http1" or not 0 < int(port["containerPort"]) <= _MAX_PORT:
        raise invalid_argument(f"{place}.ports: the port's name is http1 or h2c, its number valid.")


def _problems_of_probe(probe: JsonObject, most_s: int) -> Iterator[str]:
    """Yield what is wrong with a probe that has its defaults."""
    if len(_ACTIONS & set(probe)) != 1:
        yield "exactly one of httpGet, tcpSocket and grpc must be specified"
    period_s, timeout_s = int(probe["periodSeconds"]), int(probe["timeoutSeconds"])
    if not 0 < timeout_s <= period_s:
        yield "timeout_seconds must be at least 1 and not exceed period_seconds"
    if period_s > most_s or not 0 <= int(probe.get("initialDelaySeconds") or 0) <= most_s:
        yield f"period_seconds and initial_delay_seconds must not exceed {most_s}"
    if int(probe["failureThreshold"]) < 1:
        yield "failure_threshold must be at least 1"
    if most_s == _MAX_STARTUP_S and period_s * int(probe["failureThreshold"]) > most_s:
        yield f"failure_threshold times period_seconds must not exceed {most_s}"


def _check_counts(place: str, scaling: JsonObject) -> None:
    counts = {name: int(value) for name, value in scaling.items() if name.endswith("Count")}
    if any(count < 0 for count in counts.values()):
        raise invalid_argument(f"{place}: a number of instances must not be negative.")
    least, most = counts.get("minInstanceCount", 0), counts.get("maxInstanceCount", 0)
    if most and least > most:
        raise invalid_argument(
            f"{place}: min_instance_count ({least}) must not exceed max_instance_count ({most})."
        )


def _check_namespaces(place: str, body: JsonObject) -> None:
    for field in ("annotations", "labels"):
        for key in body.get(field) or {}:
            namespace = f".{key.rpartition('/')[0]}"
            if namespace.endswith(_RESERVED_NAMESPACES):
                raise invalid_argument(
                    f"Violation in {place}.{field}: the namespace of '{key}' is reserved; "
                    "Cloud Run API v2 has fields for what these say."
                )


def _refuse_unmodelled(body: JsonObject, place: str, fields: tuple[str, ...]) -> None:
    for field in fields:
        if body.get(field):
            raise _unmodelled(f"{place}.{field}")


def _unmodelled(field: str) -> Exception:
    return failed_precondition(f"{field} is not modelled in the local cloud.")

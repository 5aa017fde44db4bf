"""A service's revision template: its defaults, what may be in it, and when two are the same."""

import re

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import failed_precondition, invalid_argument

_IMAGE = re.compile(r"([\w.-]+(:\d+)?/)?[a-z0-9._/-]+(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?")
_DEFAULT_PORT = 8080
RESERVED_VARIABLES = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})


def with_defaults(template: JsonObject, *, default_account: str) -> JsonObject:
    """Return the template with what Cloud Run adds to it."""
    filled: JsonObject = {
        "timeout": "300s",
        "serviceAccount": default_account,
        "maxInstanceRequestConcurrency": 80,
    } | _sent(template)
    filled["scaling"] = {"maxInstanceCount": 100} | (filled.get("scaling") or {})
    filled["containers"] = [_container(body) for body in filled.get("containers") or ()]
    return filled


def check(template: JsonObject) -> None:
    """Refuse a template Cloud Run would refuse, or one that is not modelled.

    Raises:
        ApiError: 400.
    """
    containers = template["containers"]
    if not containers:
        raise invalid_argument("template.containers: Revision template should contain a container.")
    if len(containers) > 1 or template.get("volumes"):
        raise failed_precondition(
            "Several containers and volumes are not modelled in the local cloud."
        )
    image = containers[0].get("image") or ""
    if not _IMAGE.fullmatch(image):
        raise invalid_argument(
            f'template.containers[0].image: Invalid value: "{image}". Expected an image path like '
            "[host/]repo-path[:tag and/or @digest], where host is one of [region.]gcr.io, "
            "[region-]docker.pkg.dev or docker.io."
        )
    names = [variable["name"] for variable in containers[0].get("env") or ()]
    reserved = sorted(RESERVED_VARIABLES.intersection(names))
    if reserved:
        raise invalid_argument(
            "template.containers[0].env: The following reserved env names were provided: "
            f"{', '.join(reserved)}. These values are automatically set by the system."
        )


def is_same(one: JsonObject, other: JsonObject) -> bool:
    """Return whether two templates would make the same revision."""
    return _comparable(one) == _comparable(other)


def container_of(template: JsonObject) -> JsonObject:
    """Return the only container."""
    container: JsonObject = template["containers"][0]
    return container


def port_of(container: JsonObject) -> int:
    """Return the port that a container says it listens on; here its instances have others."""
    return int(container["ports"][0]["containerPort"])


def _container(body: JsonObject) -> JsonObject:
    container = dict(body)
    ports = container.get("ports") or [{}]
    container["ports"] = [{"name": "http1", "containerPort": _DEFAULT_PORT} | ports[0]]
    if not container.get("resources"):
        container["resources"] = {"cpuIdle": True, "startupCpuBoost": True}
    limits = {"cpu": "1000m", "memory": "512Mi"} | (container["resources"].get("limits") or {})
    container["resources"] = container["resources"] | {"limits": limits}
    if not container.get("startupProbe"):
        container["startupProbe"] = {
            "timeoutSeconds": 240,
            "periodSeconds": 240,
            "failureThreshold": 1,
            "tcpSocket": {"port": container["ports"][0]["containerPort"]},
        }
    return container


def _sent(template: JsonObject) -> JsonObject:
    return {key: value for key, value in template.items() if value not in (None, "", 0, {}, [])}


def _comparable(value: object) -> object:
    """Return a template without members that mean nothing, and without its revision's name."""
    if isinstance(value, dict):
        members = {key: _comparable(member) for key, member in value.items() if key != "revision"}
        return {
            key: member
            for key, member in members.items()
            if member is not None and member is not False and member not in ("", {}, [])
        }
    if isinstance(value, list):
        return [_comparable(member) for member in value]
    return value

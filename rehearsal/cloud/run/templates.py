"""A service's revision template: its defaults, and when two are the same.

What may be in one is `template_checks`' matter.
"""

from rehearsal.cloud.calls import JsonObject

_DEFAULT_PORT = 8080
_USUAL_CONCURRENCY = 80


def with_defaults(template: JsonObject, *, default_account: str) -> JsonObject:
    """Return the template with what Cloud Run adds to it."""
    containers = [_container(body) for body in template.get("containers") or ()]
    filled: JsonObject = {
        "timeout": "300s",
        "serviceAccount": default_account,
        "maxInstanceRequestConcurrency": _concurrency(containers),
    } | _sent(template)
    filled["scaling"] = {"maxInstanceCount": 100} | _sent(filled.get("scaling") or {})
    filled["containers"] = containers
    return filled


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
    container["ports"] = [
        {"name": "http1", "containerPort": _DEFAULT_PORT} | _sent(port) for port in ports
    ]
    if not container.get("resources"):
        container["resources"] = {"cpuIdle": True, "startupCpuBoost": True}
    limits = {"cpu": "1000m", "memory": "512Mi"} | (container["resources"].get("limits") or {})
    container["resources"] = container["resources"] | {"limits": limits}
    port = port_of(container)
    if not container.get("startupProbe"):
        container["startupProbe"] = {
            "timeoutSeconds": 240,
            "periodSeconds": 240,
            "failureThreshold": 1,
            "tcpSocket": {"port": port},
        }
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        if container.get(name):
            container[name] = _probe(container[name], port)
    return container


def _probe(body: JsonObject, port: int) -> JsonObject:
    probe = {"timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3} | {
        name: value for name, value in body.items() if value not in (None, 0)
    }
    for name in ("httpGet", "tcpSocket", "grpc"):
        if name in probe:
            probe[name] = {"port": port} | _sent(probe[name])
    if "httpGet" in probe:
        probe["httpGet"] = {"path": "/"} | probe["httpGet"]
    return probe


def _concurrency(containers: list[JsonObject]) -> int:
    """Return how many requests an instance answers at a time: one, with less than one processor."""
    if not containers:
        return _USUAL_CONCURRENCY
    cpu = str(containers[0]["resources"]["limits"]["cpu"])
    whole, _, _ = cpu.partition(".")
    is_less = len(cpu) <= len("999m") if cpu.endswith("m") else whole == "0"
    return 1 if is_less else _USUAL_CONCURRENCY


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

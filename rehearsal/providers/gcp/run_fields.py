"""The properties of a Cloud Run service: the long list that the v2 API reads and answers."""

from __future__ import annotations

import re
from typing import Final

from rehearsal.engine.provider import Value
from rehearsal.providers.gcp.labels import LABELS
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT
from rehearsal.providers.gcp.run_limits import limits_problem
from rehearsal.providers.limits import (
    at_least,
    from_to,
    lasting,
    one_of,
    same_duration,
)
from rehearsal.providers.properties import items, mapping
from rehearsal.providers.schema import block, blocks, flag, number, text, text_map, texts

_SERVICE_NAME: Final = re.compile(r"^[a-z](?:[a-z0-9-]{0,47}[a-z0-9])?$")
_ENV_NAME: Final = re.compile(r"^[^=\s]+$")
_RESERVED_ENV: Final = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
_MOST_ENV_BYTES: Final = 32 * 1024


def _service_name_problem(value: Value) -> str | None:
    if isinstance(value, str) and _SERVICE_NAME.match(value):
        return None
    return (
        f"is {value!r}; a service name has at most 49 lowercase letters, digits and dashes, "
        "starts with a letter and does not end with a dash"
    )


def _env_problem(value: Value) -> str | None:
    if not isinstance(value, str) or not _ENV_NAME.match(value):
        return f"is {value!r}, which is no name of an environment variable"
    if value in _RESERVED_ENV:
        return f"is {value!r}, which Cloud Run sets itself"
    return None


def _env_value_problem(value: Value) -> str | None:
    if isinstance(value, str) and len(value.encode()) > _MOST_ENV_BYTES:
        return f"is longer than the {_MOST_ENV_BYTES} bytes that Cloud Run allows"
    return None


def _containers_problem(value: Value) -> str | None:
    return None if items(value) else "is empty; a service needs a container"


def _same_limits(old: Value, new: Value) -> bool:
    olds, news = mapping(old), mapping(new)
    return olds.keys() == news.keys() and all(_same_quantity(olds[key], news[key]) for key in olds)


def _same_quantity(old: Value, new: Value) -> bool:
    """Tell whether two quantities are equal; `1` CPU is `1000m`."""
    return old == new or (
        isinstance(old, str) and isinstance(new, str) and _milli(old) == _milli(new)
    )


def _milli(quantity: str) -> str:
    try:
        return f"{float(quantity) * 1000:g}m"
    except ValueError:
        return quantity


_HEADERS: Final = blocks("httpHeaders", text("name").required(), text("value").defaulting(""))
_PORT: Final = number("port").checked(from_to(1, 65535))
_GRPC: Final = block("grpc", _PORT.computed(), text("service"))
_TCP: Final = block("tcpSocket", _PORT.computed())
_LIVE_TCP: Final = block("tcpSocket", _PORT.required())
_HTTP_GET: Final = block("httpGet", text("path").defaulting("/"), _PORT.computed(), _HEADERS)
_INGRESS: Final = (
    "INGRESS_TRAFFIC_ALL",
    "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
)
_STAGES: Final = ("UNIMPLEMENTED", "PRELAUNCH", "EARLY_ACCESS", "ALPHA", "BETA", "GA", "DEPRECATED")
_SECONDS: Final = 3600
_FAILURES: Final = number("failureThreshold").checked(at_least(1))
_PERIOD: Final = number("periodSeconds").checked(from_to(1, _SECONDS))
_TIMEOUT: Final = number("timeoutSeconds").checked(from_to(1, _SECONDS))
_TIMING: Final = (
    _FAILURES.defaulting(3),
    _PERIOD.defaulting(10),
    _TIMEOUT.defaulting(1),
)
_DELAY: Final = number("initialDelaySeconds").defaulting(0).checked(from_to(0, _SECONDS))

_VALUE_SOURCE: Final = block(
    "valueSource",
    block("secretKeyRef", text("secret").required(), text("version").computed()),
)
_MOUNTS: Final = blocks(
    "volumeMounts", text("name").required(), text("mountPath").required(), text("subPath")
)

_CONTAINER: Final = (
    text("name"),
    text("image").required(),
    texts("commands", "command"),
    texts("args"),
    blocks(
        "envs",
        text("name").required().checked(_env_problem),
        text("value").checked(_env_value_problem),
        _VALUE_SOURCE,
        api="env",
    ),
    text("workingDir"),
    text("baseImageUri"),
    texts("dependsOns", "dependsOn"),
    blocks("buildInfos", text("functionTarget"), text("sourceLocation"), api="buildInfo").output(),
    block(
        "ports",
        text("name").computed().checked(one_of("http1", "h2c")),
        number("containerPort").computed().checked(from_to(1, 65535)),
    ).computed(),
    block(
        "resources",
        text_map("limits").computed().checked(limits_problem).same(_same_limits),
        flag("cpuIdle").computed(),
        flag("startupCpuBoost").computed(),
    ).computed(),
    block("startupProbe", _DELAY, *_TIMING, _HTTP_GET, _TCP, _GRPC).computed(),
    block("livenessProbe", _DELAY, *_TIMING, _HTTP_GET, _LIVE_TCP, _GRPC),
    block(
        "readinessProbe",
        _FAILURES.computed(),
        _PERIOD.computed(),
        _TIMEOUT.computed(),
        number("successThreshold").computed(),
        block("httpGet", text("path").computed(), _PORT.computed()),
        _GRPC,
    ),
    flag("sandboxLauncher"),
    block("sourceCode"),
    _MOUNTS,
)

_VOLUME: Final = (
    text("name").required(),
    block(
        "secret",
        text("secret").required(),
        number("defaultMode"),
        blocks("items", text("path").required(), text("version"), number("mode")),
    ),
    block("cloudSqlInstance", texts("instances")),
    block(
        "emptyDir",
        text("medium").defaulting("MEMORY").checked(one_of("MEMORY", "DISK")),
        text("sizeLimit"),
    ).marker(),
    block("gcs", text("bucket").required(), flag("readOnly"), texts("mountOptions")),
    block("nfs", text("server").required(), text("path").required(), flag("readOnly")),
)

_TEMPLATE: Final = block(
    "template",
    text_map("annotations"),
    text_map("labels"),
    text("revision"),
    text("serviceAccount").computed(),
    text("timeout").computed().checked(lasting(1, _SECONDS)).same(same_duration),
    text("executionEnvironment").checked(
        one_of("EXECUTION_ENVIRONMENT_GEN1", "EXECUTION_ENVIRONMENT_GEN2")
    ),
    text("encryptionKey"),
    flag("sessionAffinity"),
    flag("healthCheckDisabled"),
    flag("gpuZonalRedundancyDisabled"),
    number("maxInstanceRequestConcurrency").computed().checked(from_to(0, 1000)),
    block(
        "scaling",
        number("minInstanceCount").checked(at_least(0)),
        number("maxInstanceCount").computed().checked(at_least(0)),
        number("concurrencyUtilization"),
        number("cpuUtilization"),
    ).computed(),
    blocks("containers", *_CONTAINER).required().checked(_containers_problem),
    blocks("volumes", *_VOLUME),
    block(
        "vpcAccess",
        text("connector"),
        text("egress").computed().checked(one_of("ALL_TRAFFIC", "PRIVATE_RANGES_ONLY")),
        blocks("networkInterfaces", text("network"), text("subnetwork"), texts("tags")),
    ),
    block("nodeSelector", text("accelerator").required()),
    block("serviceMesh", text("mesh")),
    block("sandboxes"),
)

_CONDITION: Final = (
    text("type"),
    text("state"),
    text("message"),
    text("reason"),
    text("severity"),
    text("revisionReason"),
    text("executionReason"),
    text("lastTransitionTime"),
)
_TRAFFIC: Final = (
    text("type")
    .computed()
    .checked(
        one_of("TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION")
    ),
    text("revision"),
    number("percent").computed().checked(from_to(0, 100)),
    text("tag"),
)

FIELDS: Final = (
    text("name", "").required().force_new().checked(_service_name_problem),
    text("location", "").computed().force_new(),
    PROJECT,
    DELETION_POLICY,
    flag("deletionProtection", "").defaulting(value=True),
    LABELS,
    text_map("annotations"),
    text("description"),
    text("client"),
    text("clientVersion"),
    text("ingress").computed().checked(one_of(*_INGRESS)),
    text("launchStage").computed().checked(one_of(*_STAGES)),
    texts("customAudiences"),
    flag("defaultUriDisabled"),
    flag("invokerIamDisabled"),
    flag("iapEnabled"),
    block(
        "scaling",
        number("minInstanceCount"),
        number("maxInstanceCount"),
        number("manualInstanceCount"),
        text("scalingMode").checked(one_of("AUTOMATIC", "MANUAL")),
    ).computed(),
    _TEMPLATE.required(),
    blocks("traffics", *_TRAFFIC, api="traffic").computed(),
    block(
        "binaryAuthorization", flag("useDefault"), text("policy"), text("breakglassJustification")
    ),
    block("buildConfig"),
    block("multiRegionSettings"),
    text_map("tags", "").force_new(),
    blocks("conditions", *_CONDITION).volatile(),
    blocks("trafficStatuses", *_TRAFFIC, text("uri")).volatile(),
    text("uid").output(),
    text("uri").output(),
    texts("urls").output(),
    text("createTime").output(),
    text("creator").output(),
    text("deleteTime").output(),
    text("expireTime").output(),
    text("updateTime").volatile(),
    text("lastModifier").volatile(),
    text("generation").volatile(),
    text("observedGeneration").volatile(),
    text("latestCreatedRevision").volatile(),
    text("latestReadyRevision").volatile(),
    text("etag").volatile(),
    flag("reconciling").volatile(),
)
CONDITION_FIELDS: Final = _CONDITION

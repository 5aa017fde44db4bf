"""Google's limits, from both sides: what is just right passes, what is just wrong is named."""

from __future__ import annotations

import asyncio

import pytest

from rehearsal.engine.provider import UNKNOWN, CheckResult, Properties, Value
from rehearsal.providers.gcp.catalogue import RESOURCE_TYPES
from rehearsal.providers.gcp.provider import GcpProvider
from rehearsal.providers.schema import Field

RUN = "gcp:cloudrunv2/service:Service"
TOPIC = "gcp:pubsub/topic:Topic"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"
BUCKET = "gcp:storage/bucket:Bucket"
DATASET = "gcp:bigquery/dataset:Dataset"
TABLE = "gcp:bigquery/table:Table"
SECRET = "gcp:secretmanager/secret:Secret"
JOB = "gcp:cloudscheduler/job:Job"
ACCOUNT = "gcp:serviceaccount/account:Account"
DATABASE = "gcp:firestore/database:Database"
ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
# The least that each type needs to be right.
RIGHT: dict[str, Properties] = {
    RUN: {"name": "api", "location": "europe-west1", "template": {"containers": [{"image": "i"}]}},
    TOPIC: {"name": "orders"},
    SUBSCRIPTION: {"name": "worker", "topic": "orders"},
    BUCKET: {"name": "some-data", "location": "EU"},
    DATASET: {"datasetId": "events"},
    TABLE: {"datasetId": "events", "tableId": "orders"},
    SECRET: {"secretId": "key", "replication": {"auto": {}}},
    JOB: {"name": "tick", "schedule": "0 * * * *", "httpTarget": {"uri": "http://127.0.0.1/"}},
    ACCOUNT: {"accountId": "worker-sa"},
    DATABASE: {"name": "appdb", "locationId": "eur3", "type": "FIRESTORE_NATIVE"},
    ROLE: {"roleId": "director", "title": "Director", "permissions": ["pubsub.topics.get"]},
    REPOSITORY: {"repositoryId": "images", "format": "DOCKER"},
}
CONTAINER = "template.containers[0]"
LIMITS = f"{CONTAINER}.resources.limits"
# type, property, what passes, what does not
BOUNDS: list[tuple[str, str, list[Value], list[Value]]] = [
    (TOPIC, "name", ["abc", "a" * 255, "a.b_c~d+e%f-g"], ["ab", "a" * 256, "1ab", "google"]),
    (TOPIC, "messageRetentionDuration", ["600s", "2678400s"], ["599s", "2678401s", "10m"]),
    (TOPIC, "labels", [{"a": ""}, {"a" * 63: "a" * 63}], [{"A": ""}, {"a": "A"}, {"a": "a" * 64}]),
    (SUBSCRIPTION, "ackDeadlineSeconds", [10, 600], [9, 601]),
    (SUBSCRIPTION, "messageRetentionDuration", ["600s", "600.5s"], ["599s", "2678401s"]),
    (SUBSCRIPTION, "expirationPolicy.ttl", ["", "86400s"], ["86399s", "1d"]),
    (SUBSCRIPTION, "retryPolicy.minimumBackoff", ["0s", "600s"], ["601s"]),
    (SUBSCRIPTION, "deadLetterPolicy.maxDeliveryAttempts", [5, 100], [4, 101]),
    (SUBSCRIPTION, "filter", ["a" * 256], ["a" * 257]),
    (BUCKET, "name", ["abc", "a" * 63, "a.b-c_d"], ["ab", "a" * 64, "Abc", "-ab", "1.2.3.4"]),
    (BUCKET, "publicAccessPrevention", ["inherited", "enforced"], ["none"]),
    (BUCKET, "softDeletePolicy.retentionDurationSeconds", [0, 604800, 7776000], [1, 7776001]),
    (DATASET, "datasetId", ["a" * 1024, "A_1"], ["a-b", "a" * 1025]),
    (DATASET, "defaultTableExpirationMs", [3600000], [3599999]),
    (DATASET, "maxTimeTravelHours", ["48", "168"], ["47", "169", "x"]),
    (TABLE, "timePartitioning.type", ["DAY", "HOUR", "MONTH", "YEAR"], ["WEEK"]),
    (TABLE, "clusterings", [["a", "b", "c", "d"]], [["a", "b", "c", "d", "e"]]),
    (SECRET, "secretId", ["a" * 255, "A_b-1"], ["a" * 256, "a.b", ""]),
    (JOB, "name", ["a" * 500], ["a" * 501, "a b"]),
    (JOB, "schedule", ["*/5 9-17 * jan mon", "every 5 minutes"], ["* * * *", "soon", "@daily"]),
    (JOB, "attemptDeadline", ["15s", "1800s"], ["14s", "1801s"]),
    (JOB, "retryConfig.retryCount", [0, 5], [-1, 6]),
    (JOB, "httpTarget.uri", ["https://a.example/x"], ["a.example", "ftp://a.example"]),
    (JOB, "httpTarget.body", ["eA=="], ["{}"]),
    (JOB, "httpTarget.httpMethod", ["POST", "PATCH"], ["post"]),
    (ACCOUNT, "accountId", ["a" * 6, "a" * 30], ["a" * 5, "a" * 31, "1abcde", "abcde-"]),
    (ACCOUNT, "displayName", ["a" * 100], ["a" * 101]),
    (DATABASE, "name", ["(default)", "abcd", "a" * 63], ["abc", "a" * 64, "abc-"]),
    (DATABASE, "type", ["FIRESTORE_NATIVE", "DATASTORE_MODE"], ["NATIVE"]),
    (ROLE, "roleId", ["a.b", "A_1"], ["ab", "a" * 65, "a-b"]),
    (ROLE, "stage", ["ALPHA", "DISABLED"], ["NEW"]),
    (ROLE, "permissions", [["a.b.c"]], [[], ["a.b"], ["roles/a"]]),
    (REPOSITORY, "repositoryId", ["a", "a" * 63], ["A", "a" * 64, "a-"]),
    (REPOSITORY, "mode", ["STANDARD_REPOSITORY"], ["STANDARD"]),
    (RUN, "name", ["a", "a" * 49], ["a" * 50, "A", "1a", "a-"]),
    (RUN, "ingress", ["INGRESS_TRAFFIC_ALL"], ["ALL"]),
    (RUN, "template.timeout", ["1s", "3600s"], ["0s", "3601s", "5m"]),
    (RUN, "template.maxInstanceRequestConcurrency", [1, 1000], [1001, -1]),
    (RUN, "template.scaling.minInstanceCount", [0, 100], [-1]),
    (RUN, f"{CONTAINER}.ports.containerPort", [1, 65535], [0, 65536]),
    (RUN, f"{CONTAINER}.ports.name", ["http1", "h2c"], ["http2"]),
    (RUN, f"{CONTAINER}.startupProbe.periodSeconds", [1, 240], [0, 3601]),
    (RUN, f"{CONTAINER}.startupProbe.failureThreshold", [1], [0]),
    (RUN, f"{CONTAINER}.envs[0].name", ["A", "a.b"], ["", "A=B", "A B", "PORT", "K_SERVICE"]),
    (RUN, f"{CONTAINER}.envs[0].value", ["x" * 32768], ["x" * 32769]),
    (
        RUN,
        LIMITS,
        [
            {"cpu": "1"},
            {"cpu": "0.08", "memory": "128Mi"},
            {"cpu": "2000m", "memory": "8Gi"},
            {"cpu": "8", "memory": "32Gi"},
            {"cpu": UNKNOWN, "memory": "512Mi"},
        ],
        [
            {"cpu": "3"},
            {"cpu": "0.07"},
            {"cpu": "1.5"},
            {"cpu": "one"},
            {"memory": "64Mi"},
            {"memory": "33Gi"},
            {"memory": "lots"},
            {"cpu": "1", "memory": "5Gi"},
            {"cpu": "2", "memory": "9Gi"},
            {"cpu": "4", "memory": "1Gi"},
            {"disk": "1Gi"},
        ],
    ),
]
# What an object on the way to a property needs besides.
BESIDES: dict[str, Properties] = {
    "timePartitioning": {"type": "DAY"},
    "httpTarget": {"uri": "http://127.0.0.1/"},
    "envs": {"name": "A"},
    "containers": {"image": "i"},
}


def check(type_: str, news: Properties) -> CheckResult:
    """Check inputs with a provider that knows its project and its region."""
    provider = GcpProvider()
    config: Properties = {"project": "local-proj", "region": "europe-west1"}
    asyncio.run(provider.configure(config, {}))
    return asyncio.run(provider.check(urn="", type_=type_, olds=None, news=news))


def fields_of(type_: str) -> tuple[Field, ...]:
    """Give a type's fields."""
    return RESOURCE_TYPES[type_].fields


def put(into: Properties, path: str, value: Value) -> Properties:
    """Return inputs with a value at a path; lists on the way have one item."""
    name, _, rest = path.partition(".")
    key, is_list = name.removesuffix("[0]"), name.endswith("[0]")
    if not rest:
        return {**into, key: value}
    held = into.get(key)
    inner = held[0] if isinstance(held, list) else held
    start: Properties = dict(inner) if isinstance(inner, dict) else dict(BESIDES.get(key, {}))
    filled = put(start, rest, value)
    return {**into, key: [filled] if is_list else filled}


@pytest.mark.parametrize("bound", BOUNDS, ids=[f"{b[0].rpartition(':')[2]}-{b[1]}" for b in BOUNDS])
def test_a_limit_is_where_google_has_it(bound: tuple[str, str, list[Value], list[Value]]) -> None:
    """The last right value passes, the first wrong one fails at its property, by its path."""
    type_, path, right, wrong = bound
    for value in right:
        assert check(type_, put(RIGHT[type_], path, value)).failures == (), value
    for value in wrong:
        failures = check(type_, put(RIGHT[type_], path, value)).failures
        assert [failure.property for failure in failures] == [path], value
        assert failures[0].reason.startswith(f"'{path}'"), value


@pytest.mark.parametrize("bound", BOUNDS, ids=[f"{b[0].rpartition(':')[2]}-{b[1]}" for b in BOUNDS])
def test_what_is_not_known_yet_passes(bound: tuple[str, str, list[Value], list[Value]]) -> None:
    """A preview cannot tell, so it does not complain."""
    type_, path, *_ = bound
    assert check(type_, put(RIGHT[type_], path, UNKNOWN)).failures == ()


@pytest.mark.parametrize("type_", sorted(RESOURCE_TYPES))
def test_a_property_that_is_none_is_refused_at_every_depth(type_: str) -> None:
    """A slip of the pen is not silently lost."""
    for path in unknown_properties(fields_of(type_)):
        failures = check(type_, put({}, path, "x")).failures
        assert path in [failure.property for failure in failures], path


def unknown_properties(fields: tuple[Field, ...], path: str = "") -> list[str]:
    """Name a property that is none in each object of a type."""
    found = [f"{path}mispelt"]
    for field in fields:
        if field.fields and not field.is_output:
            end = "[0]." if field.kind.value == "a list of objects" else "."
            found += unknown_properties(field.fields, f"{path}{field.name}{end}")
    return found
